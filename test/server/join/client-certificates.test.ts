// Client certificates, refusals and the limit on failures over real TLS and gRPC, with a client
// that isn't Envoy.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../src/base/index.js';
import { type Leaf, loadOrCreateAuthority } from '../../../src/ca/index.js';
import { LeafStore, recordHandedOut } from '../../../src/leaves/index.js';
import { createTokenKeys, type TokenKeys } from '../../../src/tokens/index.js';
import { TYPE_URLS } from '../../../src/xds/index.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { leafOf, startTestServer, type TestServer } from '../../harness/running-server.js';
import { MemoryDataDir } from '../../x509/tools.js';

const HOUR_MS = 3_600_000;
let running: TestServer;
let tokens: TokenKeys;

beforeAll(async () => {
  running = await startTestServer('services: { web: {}, ledger: {} }');
  tokens = await createTokenKeys(running.identity);
});
afterAll(() => running.close());

const sign = (subject: string): string =>
  tokens.sign({ audience: 'countersign-xds', subject, ttlMs: HOUR_MS }).token;

/** As `countersign cert` makes one. */
async function handOut(service: string): Promise<Leaf> {
  const certificate = await leafOf(running.authority, service);
  await recordHandedOut(running.dataDir, { certificate, service });
  return certificate;
}

test("a service's certificate is enough", async () => {
  const client = running.join('web', { leaf: await handOut('web') });
  expect((await client.next())?.typeUrl).toBe(TYPE_URLS.cluster);
  client.close();
});

test("another service's certificate is refused", async () => {
  const leaf = await handOut('ledger');
  expect(await running.refusal('web', { leaf })).toMatchObject({
    code: status.PERMISSION_DENIED,
    details: 'the client certificate is for service "ledger" but the node says that it is "web"',
  });
});

test("a sidecar's leaf proves no other node, though its token was bound to one", async () => {
  const bound = { audience: 'countersign-xds', subject: 'web', ttlMs: HOUR_MS } as const;
  const { token } = tokens.sign({ ...bound, instance: 'thief' });
  const thief = running.join('web~thief', { token });
  expect(await thief.next()).toBeDefined();
  const leaf = await new LeafStore(running.dataDir).load('web~thief');
  if (leaf === undefined) throw new Error('expected a leaf');
  const own = running.join('web~thief', { leaf });
  expect(await own.next()).toBeDefined();
  for (const other of ['web~other', 'web', 'web~127.0.0.1']) {
    expect(await running.refusal(other, { leaf })).toMatchObject({
      code: status.PERMISSION_DENIED,
      details:
        'the client certificate is for instance "thief" of "web" but the node is another one',
    });
  }
  const { proxies } = await running.status();
  expect(proxies.map(({ node }) => node)).not.toContain('web~other');
  own.close();
  thief.close();
});

test('a certificate that nobody has a record of proves nothing', async () => {
  const leaf = await leafOf(running.authority, 'web');
  expect(await running.refusal('web', { leaf })).toMatchObject({
    code: status.UNAUTHENTICATED,
    details: 'the client certificate is none that this server has a record of',
  });
});

test('a token and a certificate must agree', async () => {
  const leaf = await leafOf(running.authority, 'ledger');
  const client = running.join('ledger', { leaf, token: sign('ledger') });
  expect((await client.next())?.typeUrl).toBe(TYPE_URLS.cluster);
  client.close();
  expect(await running.refusal('web', { leaf, token: sign('web') })).toMatchObject({
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
  const leaf = await leafOf(stranger.authority, 'web');
  expect(await running.refusal('web', { leaf })).toMatchObject({
    code: status.UNAUTHENTICATED,
    details: 'expected a token but got none',
  });
});

test('a client that does not trust our anchor is counted and told with a hint', async () => {
  // Node's own client ends such a connection without an alert; OpenSSL's tells, as Envoy's does.
  const strange = join(running.dir, 'strange.pem');
  await writeFile(strange, running.authority.trustAnchorsPem);
  const address = `127.0.0.1:${running.server.xdsAddress.port}`;
  const args = ['s_client', '-verify_return_error', '-connect', address, '-CAfile', strange];
  await promisify(execFile)('openssl', args).catch(() => undefined);
  await expect
    .poll(() => running.get('/metrics'))
    .toContain('countersign_refused_total{code="xds-anchor-unknown"} 1');
  const { refused } = await running.status();
  expect(refused.find(({ code }) => code === 'xds-anchor-unknown')).toEqual({
    peer: '127.0.0.1',
    code: 'xds-anchor-unknown',
    reason: "a client does not trust this server's xDS certificate",
    hint: expect.stringContaining("pins another server's anchor"),
    count: 1,
    lastAt: expect.any(String),
  });
});

test('a neighbour that keeps guessing locks out no sidecar, after a restart neither', async () => {
  const services = 'services: { web: {} }';
  const before = await startTestServer(services);
  const keys = await createTokenKeys(before.identity);
  const { token } = keys.sign({ audience: 'countersign-xds', subject: 'web', ttlMs: HOUR_MS });
  await before.stop();
  const guessed = await startTestServer(services, before);
  onTestFinished(() => guessed.close());
  const guess = async (toGuess: (i: number) => string) => {
    const guesses = Array.from({ length: 60 }, (_, i) =>
      guessed.refusal('web', { token: toGuess(i) }),
    );
    return new Set((await Promise.all(guesses)).map(({ code }) => code));
  };
  expect(await guess((i) => `guess${i}`)).toEqual(new Set([status.UNAUTHENTICATED]));
  // The same again and again is refused unread.
  const both = new Set([status.UNAUTHENTICATED, status.RESOURCE_EXHAUSTED]);
  expect(await guess(() => 'guess')).toEqual(both);
  const good = guessed.join('web', { token });
  expect(await good.next()).toBeDefined();
  good.close();
  const { refused } = await guessed.status();
  expect(refused.map(({ code }) => code)).toContain('resource-limit');
  expect(JSON.stringify(refused)).not.toContain('guess');
});

test('the server stops soon though clients stay connected or never shake hands', async () => {
  const other = await startTestServer('services: { web: {} }');
  const at = { host: '127.0.0.1', port: other.server.xdsAddress.port };
  const socket = connectTls({ ...at, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  const sockets = [socket, connectTcp(at)];
  for (const one of sockets) one.on('error', () => undefined).resume();
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  const ended = sockets.map((one) => new Promise((resolve) => one.once('close', resolve)));
  await other.close();
  await Promise.all(ended);
});
