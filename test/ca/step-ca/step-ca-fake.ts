// A step-ca's HTTPS interface that tests can make misbehave: it reads the request as step-ca does
// (the names of the certificate come from the token), and each test may change what it answers.
import { createPrivateKey, createPublicKey, verify } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { CertificateTemplate } from '../../../src/x509/issue/index.js';
import { generateKeys } from '../../../src/x509/keys/index.js';
import { readCsr } from '../../../src/x509/read/index.js';
import { type OutsideCa, sign } from '../outside-ca.js';

export interface FakeRequest {
  readonly csr: string;
  readonly ott: string;
  readonly notAfter: string;
  readonly path: string;
  readonly claims: { readonly sub: string; readonly sans: readonly string[] };
  /** Of the token: by the provisioner's key. */
  readonly isSigned: boolean;
}

export interface FakeAnswer {
  readonly status?: number;
  /** An object goes out as JSON. */
  readonly body: unknown;
}

/** Undefined: no answer at all. */
export type FakeHandler = (request: FakeRequest) => FakeAnswer | undefined | Promise<FakeAnswer>;

export interface FakeStepCa {
  readonly url: string;
  readonly requests: readonly FakeRequest[];
  /** Connections that were opened. */
  readonly connections: () => number;
  closeConnections(): void;
  close(): Promise<void>;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

export async function startFakeStepCa(options: {
  readonly ca: OutsideCa;
  readonly provisionerKeyPem: string;
  readonly nowMs: number;
  readonly handle: FakeHandler;
  /** DNS names of its own certificate, beside its address. */
  readonly ips?: readonly string[];
}): Promise<FakeStepCa> {
  const { ca, nowMs, handle, provisionerKeyPem, ips = ['127.0.0.1'] } = options;
  const keys = await generateKeys('ecdsa-p256');
  const template = { ...toLeafTemplate({ nowMs, publicKeyDer: keys.publicKeyDer }), ips };
  const cert = sign(template, ca.intermediate) + ca.intermediate.pem;
  const requests: FakeRequest[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer({ key: keys.privateKeyPem, cert }, (incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', async () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const request = readRequest(text, { path: incoming.url ?? '', provisionerKeyPem });
      requests.push(request);
      const answer = await handle(request);
      if (answer === undefined) return;
      const { status = 201, body } = answer;
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const close = (): Promise<void> =>
    new Promise((done) => {
      server.close(() => done());
      server.closeAllConnections();
    });
  onTestFinished(close);
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    connections: () => connections,
    closeConnections: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    close,
  };
}

/** What step-ca would sign, with changes; `notAfter` of the request is kept. */
export function toAnswer(
  { csr, claims, notAfter }: FakeRequest,
  options: {
    readonly ca: OutsideCa;
    readonly nowMs: number;
    readonly change?: Partial<CertificateTemplate>;
  },
): FakeAnswer {
  const { ca, nowMs, change = {} } = options;
  const { publicKeyDer } = readCsr(csr);
  const isSpiffe = (san: string): boolean => san.startsWith('spiffe://');
  const template: CertificateTemplate = {
    ...toLeafTemplate({ nowMs, publicKeyDer }),
    subject: [{ type: 'CN', value: claims.sub }],
    uris: claims.sans.filter(isSpiffe),
    dnsNames: claims.sans.filter((san) => !isSpiffe(san)),
    notAfterMs: toEndMs(notAfter, nowMs),
    extendedKeyUsage: ['serverAuth', 'clientAuth'],
    ...change,
  };
  const crt = sign(template, ca.intermediate);
  return { body: { crt, ca: ca.intermediate.pem, certChain: [crt, ca.intermediate.pem] } };
}

function readRequest(
  text: string,
  { path, provisionerKeyPem }: { path: string; provisionerKeyPem: string },
): FakeRequest {
  const { csr, ott, notAfter } = JSON.parse(text) as Record<'csr' | 'ott' | 'notAfter', string>;
  const [head = '', body = '', signature = ''] = ott.split('.');
  const key = createPublicKey(createPrivateKey(provisionerKeyPem));
  const isSigned = verify(
    'sha256',
    Buffer.from(`${head}.${body}`),
    { key, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  );
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as FakeRequest['claims'];
  return { csr, ott, notAfter, path, claims, isSigned };
}

function toEndMs(notAfter: string, nowMs: number): number {
  const seconds = /^(\d+)s$/.exec(notAfter)?.[1];
  const endMs = seconds === undefined ? Date.parse(notAfter) : nowMs + Number(seconds) * 1000;
  return Math.floor(endMs / 1000) * 1000;
}

function toLeafTemplate(options: {
  readonly nowMs: number;
  readonly publicKeyDer: Buffer;
}): CertificateTemplate {
  const beginMs = Math.floor((options.nowMs - MINUTE_MS) / 1000) * 1000;
  return {
    serialHex: '5a0b0c0d0e0f101112131415161718',
    subject: [{ type: 'CN', value: 'Step Online CA' }],
    notBeforeMs: beginMs,
    notAfterMs: beginMs + HOUR_MS,
    publicKeyDer: options.publicKeyDer,
    isCa: false,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: ['serverAuth'],
    uris: [],
    dnsNames: [],
    ips: [],
  };
}
