import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { addRevocation } from '../../src/revocation/index.js';
import type { ServerStatus, WaitAnswer } from '../../src/server/status/index.js';
import { createTokenKeys, rotateTokenKey, type TokenKeys } from '../../src/tokens/index.js';
import { startTestServer, type TestServer } from '../harness/running-server.js';

// What a running server says of sidecars that are refused, gone, expected or nobody's, and of a
// data folder that is taken away, over real gRPC with clients that aren't Envoy.

const HOUR_MS = 3_600_000;
const TWO = 'services: { web: { ports: { 8080: http } }, back: { ports: { 8081: http } } }';
const ONE = 'services: { web: { ports: { 8080: http } } }';

let running: TestServer;
let keys: TokenKeys;
beforeEach(async () => {
  running = await startTestServer(TWO);
  keys = await createTokenKeys(running.identity);
});
afterEach(() => running.close());

function sign(subject: string, ttlMs = HOUR_MS) {
  return keys.sign({ audience: 'countersign-xds', subject, ttlMs });
}

async function joinAs(id: string, token: string) {
  const client = running.join(id, { token });
  expect(await client.next()).toBeDefined();
  return client;
}

async function until(holds: (status: ServerStatus) => void): Promise<ServerStatus> {
  return vi.waitFor(
    async () => {
      const status = await running.status();
      holds(status);
      return status;
    },
    { timeout: 5_000, interval: 50 },
  );
}

test('a joiner refused by address conflict is there, with both parties and its token', async () => {
  await joinAs('web~a', sign('web').token);
  const { token, id } = sign('back');
  running.join('back~b', { token });
  expect((await until((now) => expect(now.refused).toHaveLength(1))).refused).toEqual([
    {
      peer: '127.0.0.1',
      code: 'address-in-use',
      reason: 'address 127.1.0.1 is in use by a sidecar of another service',
      hint: expect.any(String),
      count: 1,
      lastAt: expect.any(String),
      ...{ service: 'back', tokenId: id, claim: 'back~b', address: '127.1.0.1', holder: 'web~a' },
    },
  ]);
});

test('a refused token says of which service and id it is, and is over once it joins', async () => {
  const expired = sign('web', -HOUR_MS);
  const undeclared = sign('gone');
  await running.refusal('web~a', { token: expired.token });
  await running.refusal('gone~b', { token: undeclared.token });
  await running.refusal('web~c', {});
  const { refused, summary } = await running.status();
  const who = refused.map(({ code, service, tokenId, claim }) => [code, service, tokenId, claim]);
  expect(who).toEqual([
    ['token-missing', undefined, undefined, 'web~c'],
    ['service-unknown', 'gone', undeclared.id, 'gone~b'],
    ['token-expired', 'web', expired.id, 'web~a'],
  ]);
  expect(summary.refused).toBe(3);
  await joinAs('web~a', sign('web').token);
  await until((now) => expect(now.refused.map(({ claim }) => claim)).toEqual(['web~c', 'gone~b']));
});

test('a token of a retired key is named by its id, which its signature proves', async () => {
  const { token, id } = sign('web');
  await rotateTokenKey({ ...running.identity, overlapMs: 0 });
  await running.get('/v1/wait?timeout_ms=0');
  await running.refusal('web~a', { token });
  expect((await running.status()).refused).toMatchObject([
    { code: 'token-expired', service: 'web', tokenId: id, claim: 'web~a' },
  ]);
});

test('the key of connected sidecars is retired: status knows when their tokens end', async () => {
  const { token, id } = sign('web');
  await joinAs('web~a', token);
  const before = await running.status();
  expect(before.warnings).toEqual([]);
  expect(before.proxies[0]?.token?.id).toBe(id);
  await rotateTokenKey({ ...running.identity, overlapMs: 120_000 });
  await running.get('/v1/wait?timeout_ms=0');
  const { proxies, warnings, horizon } = await running.status();
  const endsMs = Date.parse(proxies[0]?.token?.endsAt ?? '') - running.identity.clock.now();
  expect(endsMs).toBeGreaterThan(60_000);
  expect(endsMs).toBeLessThanOrEqual(120_000);
  expect(horizon).toMatchObject({ what: 'token', node: 'web~a' });
  expect(warnings).toMatchObject([{ node: 'web~a', text: expect.stringContaining('token of') }]);
  expect(await running.get('/metrics')).toContain('countersign_horizon_warnings{what="token"} 1');
});

test('a killed sidecar is listed as gone, over a restart too, until it is back', async () => {
  const { token } = sign('web');
  const client = await joinAs('web~a', token);
  expect((await running.status()).gone).toEqual([]);
  client.close();
  await until(({ gone }) =>
    expect(gone).toEqual([
      {
        ...{ node: 'web~a', service: 'web', address: '127.1.0.1', missedAtStart: false },
        since: expect.any(String),
      },
    ]),
  );
  expect(await running.get('/metrics')).toContain('countersign_proxies_gone 1\n');
  await joinAs('web~a', token);
  await until(({ gone }) => expect(gone).toEqual([]));
  await running.stop();
  running = await startTestServer(TWO, running);
  const { gone, summary } = await running.status();
  expect(gone).toMatchObject([{ node: 'web~a', missedAtStart: true }]);
  expect(summary).toMatchObject({ proxies: 0, gone: 1, missing: 2 });
  await joinAs('web~a', token);
  await until((now) => expect([now.gone, now.summary.missing]).toEqual([[], 1]));
});

test('a service removed with live sidecars: log, status and metrics name them', async () => {
  await joinAs('back~b', sign('back').token);
  expect(await running.get('/metrics')).toContain('countersign_services_without_proxy 1\n');
  const text = await readFile(running.meshPath, 'utf8');
  await writeFile(running.meshPath, text.replace(TWO, ONE));
  await until(({ proxies }) => expect(proxies[0]?.declared).toBe(false));
  const { warnings, services } = await running.status();
  expect(warnings.map(({ text: warning }) => warning)).toContain(
    'the mesh declares no service "back", of which sidecars are connected (back~b): nobody ' +
      'begins a call to them any more, and what is open is let go on for a while',
  );
  expect(services.map(({ service, declared }) => [service, declared])).toEqual([
    ['web', true],
    ['back', false],
  ]);
  expect(running.log.filter(({ message }) => message.includes('not declared'))).toMatchObject([
    { level: 'warn', fields: { service: 'back', proxies: 1, nodes: ['back~b'] } },
  ]);
  expect(await running.get('/metrics')).toContain('countersign_proxies_undeclared 1\n');
  await until(({ removed }) =>
    expect(removed).toMatchObject([{ service: 'back', stage: 'draining', nodes: ['back~b'] }]),
  );
});

test('the data folder deleted under a running server is said, and lets nobody in', async () => {
  const revoked = sign('web');
  const subject = { kind: 'token', subject: revoked.id } as const;
  await addRevocation(running.dataDir, { ...subject, revokedAtMs: running.identity.clock.now() });
  await running.get('/v1/wait?timeout_ms=0');
  expect((await running.status()).revocations).toHaveLength(1);
  const path = running.dataDir.path;
  await rename(path, `${path}-elsewhere`);
  await running.get('/v1/wait?timeout_ms=0');
  const { warnings, revocations } = await running.status();
  expect(warnings.map(({ text }) => text)).toEqual([
    expect.stringContaining(`the data folder ${path} is gone: what is in force stays`),
  ]);
  expect(revocations).toHaveLength(1);
  expect(await running.refusal('web~a', { token: revoked.token })).toMatchObject({
    details: expect.stringContaining('revoked'),
  });
  const message = 'the data folder was taken away under the server';
  // A look in the middle of the removal may have found a part of it first.
  const said = running.log.filter((one) => one.message === message);
  expect(said.at(-1)).toMatchObject({ level: 'error', fields: { path } });
  expect(await running.get('/metrics')).toContain('countersign_trouble{kind="data-folder"} 1\n');
  await rename(`${path}-elsewhere`, path);
  await running.get('/v1/wait?timeout_ms=0');
  expect((await running.status()).warnings).toEqual([]);
});

test('only the folder of revocations is deleted: what was revoked stays so', async () => {
  const revoked = sign('web');
  const subject = { kind: 'token', subject: revoked.id } as const;
  await addRevocation(running.dataDir, { ...subject, revokedAtMs: running.identity.clock.now() });
  await running.get('/v1/wait?timeout_ms=0');
  await rm(join(running.dataDir.path, 'revocations'), { recursive: true });
  await running.get('/v1/wait?timeout_ms=0');
  const { warnings, revocations } = await running.status();
  expect(revocations).toHaveLength(1);
  expect(warnings[0]?.text).toContain('lacks revocations');
});

test('wait --proxies over HTTP: too few is no yes', async () => {
  const answer = JSON.parse(await running.get('/v1/wait?timeout_ms=2000&proxies=1')) as WaitAnswer;
  expect(answer).toMatchObject({ inForce: false, lacking: [{ service: null, wanted: 1, got: 0 }] });
});

test('wait fails while a sidecar is kept out of its address; both parties are shown', async () => {
  const thief = await joinAs('web~thief', sign('web').token);
  const back = running.join('back~b', { token: sign('back').token });
  const { warnings, refused, summary } = await until((now) => expect(now.refused).toHaveLength(1));
  expect(refused).toMatchObject([{ claim: 'back~b', holder: 'web~thief' }]);
  expect([summary.refused, warnings]).toEqual([
    1,
    [
      {
        node: 'back~b',
        text: expect.stringContaining('its address 127.1.0.1 is that of web~thief'),
      },
    ],
  ]);
  const metrics = await running.get('/metrics');
  expect(metrics).toContain('countersign_proxies_kept_out 1\n');
  expect(metrics).toContain('countersign_refused_total{code="address-in-use"} 1\n');
  const answer = JSON.parse(await running.get('/v1/wait?timeout_ms=0')) as WaitAnswer;
  const keptOut = [{ node: 'back~b', address: '127.1.0.1', holder: 'web~thief' }];
  expect(answer).toMatchObject({ inForce: false, keptOut });
  thief.close();
  await until(({ gone }) => expect(gone).toHaveLength(1));
  back.close();
  await until(({ warnings: left }) => expect(left).toEqual([]));
});

test('a token is good for the addresses that it is bound to, and pushes off a claim', async () => {
  const bound = (subject: string, address: string) => {
    const request = { audience: 'countersign-xds', subject, ttlMs: HOUR_MS } as const;
    return keys.sign({ ...request, addresses: [address] }).token;
  };
  const elsewhere = await running.refusal('web~a', { token: bound('web', '127.1.0.9') });
  expect(elsewhere.details).toBe('the token is for 127.1.0.9 but the node says 127.1.0.1');
  const thief = await joinAs('web~thief', sign('web').token);
  await joinAs('back~b', bound('back', '127.1.0.1'));
  expect((await thief.ended()).details).toContain('another sidecar');
  expect((await running.status()).refused).toMatchObject([
    { code: 'address-in-use', claim: 'web~thief', holder: 'back~b', address: '127.1.0.1' },
    { code: 'address-refused', service: 'web' },
  ]);
});

test('a service that is full is said, and who is refused for it', async () => {
  await running.close();
  running = await startTestServer(TWO, undefined, {
    maxInstances: { perService: 1, perCredential: 500 },
  });
  keys = await createTokenKeys(running.identity);
  const { token, id } = sign('web');
  await joinAs('web~a', token);
  expect(await running.refusal('web~b', { token })).toMatchObject({
    code: 8,
    details: 'expected at most 1 sidecars of service "web" at once',
  });
  const { refused, warnings } = await running.status();
  expect(refused).toMatchObject([{ code: 'instance-limit', claim: 'web~b', tokenId: id }]);
  expect(refused[0]?.hint).toContain('--max-instances');
  expect(warnings.map(({ text }) => text)).toEqual([
    'service "web" has as many sidecars as it may have at once: new ones are refused',
  ]);
});
