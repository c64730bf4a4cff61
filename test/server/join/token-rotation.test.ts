// Token keys change beside a running server: no restart, no dropped stream.
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTokenKeys, retireTokenKey, rotateTokenKey } from '../../../src/tokens/index.js';
import { startTestServer, type TestServer } from '../../harness/running-server.js';

const HOUR_MS = 3_600_000;
const CHANGED = 'the token keys changed';
const NOT_TAKEN = 'a change of the data folder could not be taken over';
let running: TestServer;

beforeAll(async () => {
  running = await startTestServer('services: { web: {} }');
});
afterAll(() => running.close());

/** As the command does, which reads the file anew. */
async function sign(): Promise<string> {
  const keys = await createTokenKeys(running.identity);
  return keys.sign({ audience: 'countersign-xds', subject: 'web', ttlMs: HOUR_MS }).token;
}

const logged = (wanted: string): number =>
  running.log.filter(({ message }) => message === wanted).length;

/** Looks at the data folder now, as `countersign wait` does. */
const look = (): Promise<string> => running.get('/v1/wait?timeout_ms=0');

async function joins(id: string, token: string): Promise<boolean> {
  const client = running.join(id, { token });
  const joined = (await client.next()) !== undefined;
  client.close();
  return joined;
}

test('a rotation is taken over: old and new tokens are good, open streams stand', async () => {
  const old = await sign();
  const open = running.join('web~1', { token: old });
  expect(await open.next()).toBeDefined();
  const before = logged(CHANGED);
  await rotateTokenKey({ ...running.identity, overlapMs: HOUR_MS });
  const fresh = await sign();
  await look();
  expect(logged(CHANGED)).toBe(before + 1);
  expect([await joins('web~2', old), await joins('web~3', fresh)]).toEqual([true, true]);
  const { proxies } = await running.status();
  expect(proxies.map(({ node }) => node)).toContain('web~1');
});

test('a retired key is refused, and cuts no stream', async () => {
  const old = await sign();
  const open = running.join('web~4', { token: old });
  expect(await open.next()).toBeDefined();
  const [, retired] = await rotateTokenKey({ ...running.identity, overlapMs: HOUR_MS });
  await retireTokenKey({ ...running.identity, id: retired?.id ?? '' });
  await look();
  expect(await running.refusal('web~5', { token: old })).toMatchObject({
    code: status.UNAUTHENTICATED,
    details: expect.stringContaining('that key ended'),
  });
  const { proxies } = await running.status();
  expect(proxies.map(({ node }) => node)).toContain('web~4');
});

test('a damaged file is told once, and the keys in force stay', async () => {
  const good = await sign();
  const content = (await running.dataDir.read('token-keys.json')) ?? '';
  await running.dataDir.write('token-keys.json', 'broken');
  await look();
  await look();
  expect(logged(NOT_TAKEN)).toBe(1);
  expect(await joins('web~6', good)).toBe(true);
  await running.dataDir.write('token-keys.json', content);
  await look();
});
