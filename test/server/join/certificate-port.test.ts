import { execFileSync } from 'node:child_process';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../../src/base/index.js';
import { loadOrCreateAnchorPem, XDS_SERVER_NAME } from '../../../src/ca/xds/index.js';
import { openDataDir } from '../../../src/data/index.js';
import { type RunningServer, startServer } from '../../../src/server/index.js';
import { createTokenKeys, type TokenKeys } from '../../../src/tokens/index.js';
import { createCsr, toCsrPem } from '../../../src/x509/issue/index.js';
import { generateKeys } from '../../../src/x509/keys/index.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { CsrMutations } from '../../fuzz/csr-mutations.js';
import { OPENSSL_KEYS, opensslCsr } from '../../x509/csr-parts.js';

// The certificate service as another program sees it: a client made of the published proto alone.
const { root } = protobuf.parse(`
  syntax = "proto3";
  package istio.v1.auth;
  import "google/protobuf/struct.proto";
  message IstioCertificateRequest {
    string csr = 1;
    int64 validity_duration = 3;
    google.protobuf.Struct metadata = 4;
  }
  message IstioCertificateResponse { repeated string cert_chain = 1; }
  service IstioCertificateService {
    rpc CreateCertificate(IstioCertificateRequest) returns (IstioCertificateResponse) {}
  }
`);
root.addJSON(protobuf.common.get('google/protobuf/struct.proto')?.nested ?? {});
const Request = root.lookupType('istio.v1.auth.IstioCertificateRequest');
const Response = root.lookupType('istio.v1.auth.IstioCertificateResponse');
const PATH = '/istio.v1.auth.IstioCertificateService/CreateCertificate';
const LEDGER = 'spiffe://test.example/ns/payments/sa/ledger';

const logger = recordingLogger();
let dir: string;
let server: RunningServer;
let tokens: TokenKeys;
let client: Client;
let token: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-certificates-'));
  const meshPath = join(dir, 'mesh.yaml');
  await writeFile(
    meshPath,
    'trustDomain: test.example\nservices: { web: {}, payments/ledger: {}, fuzzed: {} }\n',
  );
  const any = { host: '127.0.0.1', port: 0 };
  const dataPath = join(dir, 'data');
  server = await startServer({ meshPath, dataPath, xds: any, admin: any, logger });
  const dataDir = await openDataDir({ path: dataPath, lock: false });
  const identity = { dataDir, clock: systemClock, random: systemRandom };
  tokens = await createTokenKeys(identity);
  token = sign('payments/ledger');
  const anchor = Buffer.from(await loadOrCreateAnchorPem(identity));
  client = new Client(`127.0.0.1:${server.xdsAddress.port}`, credentials.createSsl(anchor), {
    'grpc.ssl_target_name_override': XDS_SERVER_NAME,
  });
});

afterAll(async () => {
  client.close();
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

const sign = (
  subject: string,
  audience: 'countersign-xds' | 'countersign-admin' = 'countersign-xds',
) => tokens.sign({ audience, subject, ttlMs: 60_000 }).token;

interface Answer {
  readonly code: number;
  readonly details: string;
  readonly chain: readonly string[];
}

function sendBytes(bytes: Uint8Array, bearer: string | undefined = token): Promise<Answer> {
  const metadata = new Metadata();
  if (bearer !== '') metadata.set('authorization', `Bearer ${bearer}`);
  const pass = (value: Buffer): Buffer => value;
  return new Promise((resolve) => {
    const done = (error: ServiceError | null, answer?: Buffer): void => {
      const { certChain = [] } = Response.decode(answer ?? Buffer.alloc(0)) as unknown as {
        certChain?: string[];
      };
      resolve({ code: error?.code ?? status.OK, details: error?.details ?? '', chain: certChain });
    };
    client.makeUnaryRequest(PATH, pass, pass, Buffer.from(bytes), metadata, {}, done);
  });
}

const ask = (fields: object, bearer?: string): Promise<Answer> =>
  sendBytes(Request.encode(Request.fromObject(fields)).finish(), bearer);

const newCsr = async (): Promise<string> =>
  toCsrPem(createCsr({ keys: await generateKeys('ecdsa-p256') }));

describe('a client of another make', () => {
  test.each(Object.entries(OPENSSL_KEYS))(
    'openssl key %s: openssl verifies',
    async (_name, args) => {
      const csr = opensslCsr(
        ...args,
        '-subj',
        '/O=other',
        '-addext',
        `subjectAltName=URI:${LEDGER}`,
      );
      const metadata = { fields: { ClusterID: { stringValue: 'Kubernetes' } } };
      const { code, chain } = await ask({ csr, validityDuration: 3600, metadata });
      expect(code).toBe(status.OK);
      const [leaf = '', ...rest] = chain;
      const names = { leaf: join(dir, 'leaf.pem'), rest: join(dir, 'rest.pem') };
      const anchors = join(dir, 'anchors.pem');
      await writeFile(names.leaf, leaf);
      await writeFile(names.rest, rest.slice(0, -1).join(''));
      await writeFile(anchors, rest.at(-1) ?? '');
      const argv = [
        'verify',
        '-x509_strict',
        '-CAfile',
        anchors,
        '-untrusted',
        names.rest,
        names.leaf,
      ];
      expect(execFileSync('openssl', argv, { encoding: 'utf8' })).toMatch(/OK\n$/);
      const pem = execFileSync('openssl', ['req', '-noout', '-pubkey'], { input: csr });
      const certificate = new X509Certificate(leaf);
      expect(certificate.publicKey.equals(createPublicKey(pem))).toBe(true);
      expect(certificate.subjectAltName).toContain(`URI:${LEDGER}`);
      const livesMs = Date.parse(certificate.validTo) - systemClock.now();
      expect(Math.abs(livesMs - 3_600_000)).toBeLessThan(10_000);
    },
  );

  test('what it was given is on the disk', async () => {
    const { chain } = await ask({ csr: await newCsr() });
    const serial = new X509Certificate(chain[0] ?? '').serialNumber.toLowerCase();
    const file = join(dir, 'data', 'handed-out', `${serial}.json`);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      service: 'payments/ledger',
      credential: { kind: 'token' },
    });
  });
});

describe('refused', () => {
  const good = { csr: '' };
  beforeAll(async () => {
    good.csr = await newCsr();
  });
  const ROWS: readonly [name: string, bearer: () => string, fields: () => object, code: status][] =
    [
      ['no token', () => '', () => good, status.UNAUTHENTICATED],
      ['a token that is none', () => 'x.y.z', () => good, status.UNAUTHENTICATED],
      ['an admin token', () => sign('me', 'countersign-admin'), () => good, status.UNAUTHENTICATED],
      [
        'a service that is not declared',
        () => sign('gone'),
        () => good,
        status.FAILED_PRECONDITION,
      ],
      ['no request', () => token, () => ({}), status.INVALID_ARGUMENT],
      [
        'too short a life',
        () => token,
        () => ({ ...good, validityDuration: 9 }),
        status.INVALID_ARGUMENT,
      ],
      [
        'a negative life',
        () => token,
        () => ({ ...good, validityDuration: -1 }),
        status.INVALID_ARGUMENT,
      ],
      ['too large', () => token, () => ({ csr: 'x'.repeat(16_385) }), status.RESOURCE_EXHAUSTED],
      [
        'far too large',
        () => token,
        () => ({ csr: 'x'.repeat(1_000_000) }),
        status.RESOURCE_EXHAUSTED,
      ],
      [
        "another's identity",
        () => token,
        () => ({
          csr: opensslCsr(
            ...OPENSSL_KEYS['ec P-256'],
            ...[
              '-subj',
              '/',
              '-addext',
              'subjectAltName=URI:spiffe://test.example/ns/default/sa/web',
            ],
          ),
        }),
        status.PERMISSION_DENIED,
      ],
    ];

  test.each(ROWS)('%s', async (_name, bearer, fields, code) => {
    const before = (await readdir(join(dir, 'data', 'handed-out'))).length;
    const answer = await ask(fields(), bearer());
    expect({ code: answer.code, chain: answer.chain }).toEqual({ code, chain: [] });
    expect((await readdir(join(dir, 'data', 'handed-out'))).length).toBe(before);
  });
});

test('300 mutated requests: the server lives, fails at none, and hands out nothing', async () => {
  const mutations = new CsrMutations(seededRandom('certificate-port'));
  const keys = await generateKeys('ecdsa-p256');
  const der = createCsr({ keys, uris: ['spiffe://test.example/ns/default/sa/fuzzed'] });
  const bearer = sign('fuzzed');
  const whole = Request.encode(Request.create({ csr: toCsrPem(der) })).finish();
  const before = logger.lines.length;
  const codes = new Map<number, number>();
  for (let round = 0; round < 300; round++) {
    const fields = { csr: toCsrPem(mutations.mutate(der)) };
    const good = Request.encode(Request.create(fields)).finish();
    const bytes = round % 3 === 0 ? mutations.mutate(Buffer.from(whole)) : good;
    const { code } = await sendBytes(bytes, bearer);
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  const told = [status.INVALID_ARGUMENT, status.RESOURCE_EXHAUSTED, status.PERMISSION_DENIED];
  expect([...codes.keys()].filter((code) => !told.includes(code))).toEqual([]);
  expect(codes.get(status.INVALID_ARGUMENT)).toBeGreaterThan(200);
  expect(logger.lines.slice(before).filter(({ level }) => level === 'error')).toEqual([]);
  expect((await ask({ csr: await newCsr() })).code).toBe(status.OK);
});

// Of what all tests had logged, in whichever order they ran.
afterAll(function nothingThatWasLoggedHasARequestAKeyOrAToken() {
  expect(logger.lines.length).toBeGreaterThan(0);
  const text = JSON.stringify(logger.lines);
  expect(text).not.toMatch(/BEGIN|PRIVATE|eyJ/);
  expect(text).not.toContain(token);
});
