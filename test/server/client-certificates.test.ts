// Client certificates, refusals and the limit on failures over real TLS and gRPC, with a client
// that isn't Envoy.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { credentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { countersign } from '../../src/gen/wire.js';
import {
  type Authority,
  createTokenKeys,
  type Leaf,
  loadAuthority,
  loadOrCreateAnchorPem,
  loadOrCreateAuthority,
  openDataDir,
  parseSpiffeId,
  type TokenKeys,
} from '../../src/identity/index.js';
import { type RunningServer, type ServerStatus, startServer } from '../../src/server/index.js';
import { TYPE_URLS } from '../../src/xds/index.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { AdsClient, type EndStatus } from '../grpc/ads-client.js';
import { MemoryDataDir } from '../identity/tools.js';

const HOUR_MS = 3_600_000;
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const { wire } = countersign;
let dir: string;
let server: RunningServer;
let tokens: TokenKeys;
let authority: Authority;
let anchorPem: string;
const clients: AdsClient[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-mtls-'));
  const meshPath = join(dir, 'mesh.yaml');
  await writeFile(meshPath, 'trustDomain: test.example\nservices: { web: {}, ledger: {} }\n');
  const any = { host: '127.0.0.1', port: 0 };
  const dataPath = join(dir, 'data');
  server = await startServer({ meshPath, dataPath, xds: any, admin: any, logger: silent });
  const dataDir = await openDataDir({ path: dataPath, lock: false });
  const identity = { dataDir, clock: systemClock, random: systemRandom };
  tokens = await createTokenKeys(identity);
  authority = await loadAuthority(identity, { trustDomain: 'test.example' });
  anchorPem = await loadOrCreateAnchorPem(identity);
});

afterAll(async () => {
  for (const client of clients) client.close();
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

function leafOf(issuer: Authority, service: string): Promise<Leaf> {
  const spiffeId = parseSpiffeId(`spiffe://test.example/ns/default/sa/${service}`);
  return issuer.issueLeaf({ spiffeId, dnsNames: [], ttlMs: HOUR_MS, key: 'ecdsa-p256' });
}

interface Shown {
  readonly leaf?: Leaf;
  readonly token?: string;
}

function join1(id: string, { leaf, token }: Shown): AdsClient {
  const [key, chain] =
    leaf === undefined ? [null, null] : [leaf.keyPem, leaf.chainPem].map((pem) => Buffer.from(pem));
  const tls = credentials.createSsl(Buffer.from(anchorPem), key, chain, {
    checkServerIdentity: () => undefined,
  });
  const client = new AdsClient({
    address: `127.0.0.1:${server.xdsAddress.port}`,
    variant: 'delta',
    credentials: tls,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  });
  clients.push(client);
  const node = {
    id,
    cluster: id,
    metadata: { fields: { countersign: { structValue: { fields: {} } } } },
  };
  const request = { node, typeUrl: TYPE_URLS.cluster, resourceNamesSubscribe: [] };
  client.sendBytes(Buffer.from(wire.DeltaDiscoveryRequest.encode(request).finish()));
  return client;
}

async function refusal(id: string, shown: Shown): Promise<EndStatus> {
  const client = join1(id, shown);
  expect(await client.next()).toBeUndefined();
  return client.ended();
}

const sign = (subject: string): string =>
  tokens.sign({ audience: 'countersign-xds', subject, ttlMs: HOUR_MS }).token;

async function get(path: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${server.adminAddress.port}${path}`)).text();
}

test("a service's certificate is enough", async () => {
  const client = join1('web', { leaf: await leafOf(authority, 'web') });
  expect((await client.next())?.typeUrl).toBe(TYPE_URLS.cluster);
  client.close();
});

test("another service's certificate is refused", async () => {
  expect(await refusal('web', { leaf: await leafOf(authority, 'ledger') })).toMatchObject({
    code: status.PERMISSION_DENIED,
    details: 'the client certificate is for service "ledger" but the node says that it is "web"',
  });
});

test('a token and a certificate must agree', async () => {
  const leaf = await leafOf(authority, 'ledger');
  const client = join1('ledger', { leaf, token: sign('ledger') });
  expect((await client.next())?.typeUrl).toBe(TYPE_URLS.cluster);
  client.close();
  expect(await refusal('web', { leaf, token: sign('web') })).toMatchObject({
    code: status.PERMISSION_DENIED,
    details: 'the token is for service "web" but the client certificate is another service\'s',
  });
});

test("a certificate of another authority with the mesh's names is as good as none", async () => {
  const stranger = await loadOrCreateAuthority({
    dataDir: new MemoryDataDir(),
    clock: systemClock,
    random: seededRandom('stranger'),
    trustDomain: 'test.example',
  });
  expect(await refusal('web', { leaf: await leafOf(stranger.authority, 'web') })).toMatchObject({
    code: status.UNAUTHENTICATED,
    details: 'expected a token but got none',
  });
});

test('a client that does not trust our anchor is counted and told with a hint', async () => {
  // Node's own client ends such a connection without an alert; OpenSSL's tells, as Envoy's does.
  const strange = join(dir, 'strange.pem');
  await writeFile(strange, authority.trustAnchorsPem);
  const connect = ['-connect', `127.0.0.1:${server.xdsAddress.port}`, '-CAfile', strange];
  const args = ['s_client', '-verify_return_error', ...connect];
  await promisify(execFile)('openssl', args).catch(() => undefined);
  await expect
    .poll(() => get('/metrics'))
    .toContain('countersign_refused_total{code="xds-anchor-unknown"} 1');
  const { refused } = JSON.parse(await get('/v1/status')) as ServerStatus;
  expect(refused.find(({ code }) => code === 'xds-anchor-unknown')).toEqual({
    peer: '127.0.0.1',
    code: 'xds-anchor-unknown',
    reason: "a client does not trust this server's xDS certificate",
    hint: expect.stringContaining("pins another server's anchor"),
    count: 1,
    lastAt: expect.any(String),
  });
});

test('a neighbour that keeps guessing locks out no sidecar that was known', async () => {
  const token = sign('web');
  const known = join1('web', { token });
  expect(await known.next()).toBeDefined();
  const guesses = Array.from({ length: 60 }, (_, i) => refusal('web', { token: `guess${i}` }));
  const codes = (await Promise.all(guesses)).map(({ code }) => code);
  expect(new Set(codes)).toEqual(new Set([status.UNAUTHENTICATED, status.RESOURCE_EXHAUSTED]));
  const again = join1('web', { token });
  expect(await again.next()).toBeDefined();
  again.close();
  const { refused } = JSON.parse(await get('/v1/status')) as ServerStatus;
  expect(refused.map(({ code }) => code)).toContain('resource-limit');
  expect(JSON.stringify(refused)).not.toContain('guess');
});

test('the server stops soon though clients stay connected or never shake hands', async () => {
  const any = { host: '127.0.0.1', port: 0 };
  const meshPath = join(dir, 'mesh.yaml');
  const dataPath = join(dir, 'data2');
  const other = await startServer({ meshPath, dataPath, xds: any, admin: any, logger: silent });
  const socket = connectTls({
    host: '127.0.0.1',
    port: other.xdsAddress.port,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  });
  const silentSocket = connectTcp({ host: '127.0.0.1', port: other.xdsAddress.port });
  const sockets = [socket, silentSocket];
  for (const one of sockets) one.on('error', () => undefined).resume();
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  const ended = sockets.map((one) => new Promise((resolve) => one.once('close', resolve)));
  await other.close();
  await Promise.all(ended);
});
