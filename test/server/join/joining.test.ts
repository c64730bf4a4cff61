import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Logger, systemClock, systemRandom } from '../../../src/base/index.js';
import { loadOrCreateAnchorPem, XDS_SERVER_NAME } from '../../../src/ca/xds/index.js';
import { openDataDir } from '../../../src/data/index.js';
import { countersign } from '../../../src/gen/wire.js';
import { type RunningServer, startServer } from '../../../src/server/index.js';
import { createTokenKeys, type TokenKeys } from '../../../src/tokens/index.js';
import { TYPE_URLS } from '../../../src/xds/index.js';
import { AdsClient, type EndStatus } from '../../grpc/ads-client.js';

// Who may join, over real gRPC and TLS, with a client that isn't Envoy.
const HOUR_MS = 3_600_000;
const XDS = 'countersign-xds';
const { wire } = countersign;

let dir: string;
let server: RunningServer;
let tokens: TokenKeys;
let anchorPem: string;
const logged: { level: string; message: string }[] = [];
const clients: AdsClient[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-join-'));
  const meshPath = join(dir, 'mesh.yaml');
  await writeFile(
    meshPath,
    `trustDomain: test.example
services:
  web: {}
  ledger: { ports: { 8080: http } }
  payments/ledger: { ports: { 8080: http } }
`,
  );
  const to = (level: string) => (fields: object, message: string) =>
    void logged.push({ level, message, ...fields });
  const logger: Logger = {
    debug: to('debug'),
    info: to('info'),
    warn: to('warn'),
    error: to('error'),
  };
  const address = { host: '127.0.0.1', port: 0 };
  const dataPath = join(dir, 'data');
  server = await startServer({ meshPath, dataPath, xds: address, admin: address, logger });
  const dataDir = await openDataDir({ path: dataPath, lock: false });
  const identity = { dataDir, clock: systemClock, random: systemRandom };
  tokens = await createTokenKeys(identity);
  anchorPem = await loadOrCreateAnchorPem(identity);
});

afterAll(async () => {
  for (const client of clients) client.close();
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

function connect(authorization: string | undefined): AdsClient {
  const client = new AdsClient({
    address: `127.0.0.1:${server.xdsAddress.port}`,
    variant: 'delta',
    credentials: credentials.createSsl(Buffer.from(anchorPem), null, null, {
      checkServerIdentity: (_host, certificate) =>
        certificate.subjectaltname?.includes(XDS_SERVER_NAME) === true
          ? undefined
          : new Error('another server'),
    }),
    ...(authorization === undefined ? {} : { authorization }),
  });
  clients.push(client);
  return client;
}

interface Ask {
  readonly id: string;
  readonly cluster?: string;
  readonly address?: string;
  readonly outbound?: string;
  readonly typeUrl?: string;
  readonly names?: readonly string[];
}

function ask(client: AdsClient, { id, cluster, address, outbound, typeUrl, names }: Ask): void {
  const fields = {
    ...(address === undefined ? {} : { address: { stringValue: address } }),
    ...(outbound === undefined ? {} : { outbound: { stringValue: outbound } }),
  };
  const request = {
    node: {
      id,
      cluster: cluster ?? '',
      metadata: { fields: { countersign: { structValue: { fields } } } },
    },
    typeUrl: typeUrl ?? TYPE_URLS.cluster,
    resourceNamesSubscribe: names ?? [],
  };
  client.sendBytes(Buffer.from(wire.DeltaDiscoveryRequest.encode(request).finish()));
}

const token = (subject: string, instance?: string, ttlMs = HOUR_MS): string => {
  const bound = instance === undefined ? {} : { instance };
  return tokens.sign({ audience: XDS, subject, ttlMs, ...bound }).token;
};

async function refusal(authorization: string | undefined, asked: Ask): Promise<EndStatus> {
  const client = connect(authorization);
  ask(client, asked);
  expect(await client.next()).toBeUndefined();
  return client.ended();
}

test.each<[string, () => string | undefined, Ask, number, RegExp]>([
  ['no token', () => undefined, { id: 'web' }, status.UNAUTHENTICATED, /token/],
  ['another word', () => 'Bearer hunter2', { id: 'web' }, status.UNAUTHENTICATED, /token/],
  [
    'a changed token',
    () => `Bearer ${token('web').slice(0, -6)}AAAAAA`,
    { id: 'web' },
    status.UNAUTHENTICATED,
    /token/,
  ],
  [
    'an expired token',
    () => `Bearer ${token('web', undefined, -HOUR_MS)}`,
    { id: 'web' },
    status.UNAUTHENTICATED,
    /expired|ended/,
  ],
  [
    'an admin token',
    () => {
      const audience = 'countersign-admin';
      return `Bearer ${tokens.sign({ audience, subject: 'web', ttlMs: HOUR_MS }).token}`;
    },
    { id: 'web' },
    status.UNAUTHENTICATED,
    /token/,
  ],
  [
    "another service's token, by node.id",
    () => `Bearer ${token('web')}`,
    { id: 'ledger' },
    status.PERMISSION_DENIED,
    /token is for service "web" but the node says that it is "ledger"/,
  ],
  [
    "another service's token, by node.cluster",
    () => `Bearer ${token('web')}`,
    { id: 'some-host', cluster: 'ledger' },
    status.PERMISSION_DENIED,
    /different services|token is for service/,
  ],
  [
    "another namespace's token",
    () => `Bearer ${token('ledger')}`,
    { id: 'payments/ledger' },
    status.PERMISSION_DENIED,
    /token is for service "ledger"/,
  ],
  [
    "another instance's token",
    () => `Bearer ${token('web', 'one')}`,
    { id: 'web~two' },
    status.PERMISSION_DENIED,
    /instance "one"/,
  ],
  [
    'a service that the mesh does not declare',
    () => `Bearer ${token('nobody')}`,
    { id: 'nobody' },
    status.FAILED_PRECONDITION,
    /"nobody", which the mesh does not declare/,
  ],
  [
    'an address that is none',
    () => `Bearer ${token('web')}`,
    { id: 'web', address: 'not-an-address' },
    status.INVALID_ARGUMENT,
    /IP address/,
  ],
  [
    'an outbound prefix that is not loopback',
    () => `Bearer ${token('web')}`,
    { id: 'web', outbound: '10.0.0.0/8' },
    status.INVALID_ARGUMENT,
    /127\.0\.0\.0\/8/,
  ],
])('%s is refused and learns nothing', async (_name, authorization, asked, code, words) => {
  const end = await refusal(authorization(), asked);
  expect(end.code).toBe(code);
  expect(end.details).toMatch(words);
  expect(end.details).not.toMatch(/eyJ|payments\/ledger".*web/);
});

test('a refusal is logged once, however often it is tried', async () => {
  const asked: Ask = { id: 'web' };
  const before = logged.length;
  await refusal('Bearer once', asked);
  await refusal('Bearer once', asked);
  await refusal('Bearer once', asked);
  const again = logged.slice(before).filter(({ message }) => message === 'stream refused');
  expect(again.length).toBeLessThanOrEqual(1);
});

test('a bare token and one with Bearer are both taken', async () => {
  for (const authorization of [token('web'), `Bearer ${token('web')}`]) {
    const client = connect(authorization);
    ask(client, { id: 'web', address: '127.0.0.9' });
    expect((await client.next())?.typeUrl).toBe(TYPE_URLS.cluster);
  }
});

test('a node gets only its own secrets, whatever names it asks for', async () => {
  const client = connect(`Bearer ${token('web')}`);
  const names = ['default', 'ROOTCA', 'ledger', 'spiffe://test.example/ns/default/sa/ledger', '*'];
  ask(client, { id: 'web', address: '127.0.0.9', typeUrl: TYPE_URLS.secret, names });
  const answer = await client.next();
  expect(answer?.resources).toHaveLength(2);
  const text = answer?.resources.join('') ?? '';
  expect(text).toContain('PRIVATE KEY');
  expect(text.match(/BEGIN PRIVATE KEY/g)).toHaveLength(1);
  const list = await (await fetch(`http://127.0.0.1:${server.adminAddress.port}/v1/status`)).json();
  const { proxies } = list as {
    proxies: { address: string; certificate: { spiffeId: string } }[];
  };
  const asked = proxies.filter(({ address }) => address === '127.0.0.9');
  expect(asked.map(({ certificate }) => certificate.spiffeId)).toEqual([
    'spiffe://test.example/ns/default/sa/web',
  ]);
});

test("another service's claim to an address in use is refused, and learns nothing", async () => {
  const first = connect(token('ledger'));
  ask(first, { id: 'ledger', address: '127.0.0.10' });
  expect(await first.next()).toBeDefined();
  const other = connect(token('payments/ledger'));
  ask(other, { id: 'payments/ledger', address: '127.0.0.10' });
  await vi.waitFor(async () => {
    const url = `http://127.0.0.1:${server.adminAddress.port}/v1/status`;
    const { refused } = (await (await fetch(url)).json()) as { refused: { code: string }[] };
    expect(refused[0]).toMatchObject({
      ...{ code: 'address-in-use', address: '127.0.0.10' },
      ...{ claim: 'payments/ledger~127.0.0.10', holder: 'ledger~127.0.0.10' },
    });
  });
  other.close();
  expect(await other.next()).toBeUndefined();
  const second = connect(token('ledger'));
  ask(second, { id: 'ledger', address: '127.0.0.10' });
  expect(await second.next()).toBeDefined();
});

// Of what all tests had logged, in whichever order they ran.
afterAll(function noPrivateKeyAndNoTokenIsLogged() {
  expect(logged.length).toBeGreaterThan(0);
  const text = JSON.stringify(logged, (_key, value: unknown) =>
    value instanceof Error ? `${value.stack}` : value,
  );
  expect(text).not.toMatch(/PRIVATE KEY|eyJhbGc/);
});
