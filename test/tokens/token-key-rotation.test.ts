import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type DataDir, openDataDir, waitForDataLock } from '../../src/data/index.js';
import { hintOf } from '../../src/terminal/index.js';
import {
  createTokenKeys,
  listTokenKeys,
  retireTokenKey,
  rotateTokenKey,
  type TokenKeys,
} from '../../src/tokens/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { expectNoKey, meshErrorOf, temporaryDataDir, temporaryFolder } from '../x509/tools.js';

const HOUR_MS = 3_600_000;
const XDS = { audience: 'countersign-xds' } as const;
const REQUEST = { ...XDS, subject: 'web', ttlMs: 100 * HOUR_MS };

async function setup() {
  const dataDir = await temporaryDataDir();
  const clock = new ManualClock();
  const open = (): Promise<TokenKeys> =>
    createTokenKeys({ dataDir, clock, random: seededRandom('keys') });
  const rotate = (overlapMs: number) => rotateTokenKey({ dataDir, clock, overlapMs });
  const list = () => listTokenKeys({ dataDir, clock });
  return { dataDir, clock, open, rotate, list, keys: await open() };
}

const kidOf = (token: string): unknown =>
  (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string })
    .kid;

describe('a rotation', () => {
  it('puts a new key in front; the old one verifies until the overlap ends', async () => {
    const { clock, open, rotate, keys } = await setup();
    const old = keys.sign(REQUEST).token;
    const startMs = clock.now();
    const [first, second, ...more] = await rotate(HOUR_MS);
    expect(more).toEqual([]);
    expect(first).toEqual({
      id: expect.stringMatching(/^[\w-]{43}$/),
      state: 'signing',
      createdAtMs: startMs,
      verifyUntilMs: undefined,
    });
    expect(second).toEqual({
      id: kidOf(old),
      state: 'verifying',
      createdAtMs: startMs,
      verifyUntilMs: startMs + HOUR_MS,
    });
    const after = await open();
    const fresh = after.sign(REQUEST).token;
    expect(kidOf(fresh)).toBe(first?.id);
    expect(after.verify(old, XDS)).toMatchObject({
      subject: 'web',
      expiresAtMs: startMs + HOUR_MS,
    });
    clock.advance(HOUR_MS - 1);
    expect(after.verify(old, XDS).subject).toBe('web');
    clock.advance(1);
    const error = await meshErrorOf(() => after.verify(old, XDS));
    expect(error).toMatchObject({
      code: 'token-expired',
      message: 'expected a token of a key in force but that key ended 2026-01-01T01:00:00.000Z',
    });
    expect(hintOf(error)).toBe('make a new one with `countersign token`');
    expect(after.verify(fresh, XDS).expiresAtMs).toBe(startMs + 100 * HOUR_MS);
  });

  it('never puts off an end, and may bring it forward', async () => {
    const { clock, rotate, list } = await setup();
    const startMs = clock.now();
    await rotate(HOUR_MS);
    await rotate(9 * HOUR_MS);
    expect((await list()).map(({ verifyUntilMs }) => verifyUntilMs)).toEqual([
      undefined,
      startMs + 9 * HOUR_MS,
      startMs + HOUR_MS,
    ]);
    await rotate(0);
    expect((await list()).map(({ state, verifyUntilMs }) => [state, verifyUntilMs])).toEqual([
      ['signing', undefined],
      ['ended', startMs],
      ['ended', startMs],
      ['ended', startMs],
    ]);
  });

  it('of a folder without keys makes the first, then the second', async () => {
    const path = join(await temporaryFolder(), 'data');
    const dataDir = await openDataDir({ path, lock: false });
    const clock = new ManualClock();
    expect(await listTokenKeys({ dataDir, clock })).toEqual([]);
    expect(await rotateTokenKey({ dataDir, clock, overlapMs: 1 })).toHaveLength(2);
  });

  it('forgets a key that ended long ago', async () => {
    const { clock, rotate } = await setup();
    await rotate(HOUR_MS);
    clock.advance(401 * 24 * HOUR_MS);
    expect(await rotate(HOUR_MS)).toHaveLength(2);
  });

  it('beside others loses none: twelve at once are twelve keys more', async () => {
    const { rotate, list } = await setup();
    await Promise.all(Array.from({ length: 12 }, () => rotate(HOUR_MS)));
    const keys = await list();
    expect(new Set(keys.map(({ id }) => id)).size).toBe(13);
    expect(keys.filter(({ state }) => state === 'signing')).toHaveLength(1);
  });

  it('says where the lock is held for long, and changes nothing', async () => {
    const { dataDir, clock, list } = await setup();
    const before = await list();
    const held = await waitForDataLock(join(dataDir.path, 'token-keys.lock'), clock);
    const work = meshErrorOf(() => rotateTokenKey({ dataDir, clock, overlapMs: HOUR_MS }));
    await expect.poll(() => clock.pending).toBe(1);
    clock.advance(10_000);
    expect(await work).toMatchObject({
      code: 'data-locked',
      message: `expected ${dataDir.path}/token-keys.lock to be free within 10 s but it is held`,
    });
    held.release();
    expect(await list()).toEqual(before);
  });

  it('of a damaged file changes nothing', async () => {
    const { dataDir, rotate } = await setup();
    await dataDir.write('token-keys.json', '{"version":1,"keys":[{"id":"SECRET"}]}');
    const error = await meshErrorOf(() => rotate(HOUR_MS));
    expect(error.code).toBe('data-damaged');
    expectNoKey(error);
    expect((await dataDir.read('token-keys.json'))?.toString()).toContain('SECRET');
  });
});

describe('retiring', () => {
  it('ends an older key now', async () => {
    const { dataDir, clock, open, rotate, keys } = await setup();
    const old = keys.sign(REQUEST).token;
    await rotate(HOUR_MS);
    const id = String(kidOf(old));
    const [, retired] = await retireTokenKey({ dataDir, clock, id });
    expect(retired).toMatchObject({ id, state: 'ended', verifyUntilMs: clock.now() });
    const after = await open();
    expect(await meshErrorOf(() => after.verify(old, XDS))).toMatchObject({
      code: 'token-expired',
    });
  });

  it('the key that signs is refused', async () => {
    const { dataDir, clock, list } = await setup();
    const before = await dataDir.read('token-keys.json');
    const id = (await list())[0]?.id ?? '';
    const error = await meshErrorOf(() => retireTokenKey({ dataDir, clock, id }));
    expect(error).toMatchObject({
      code: 'usage',
      message: 'expected the id of an older token key but got the one that signs',
    });
    expect(hintOf(error)).toBe('make a new key first: `countersign token --rotate-key`');
    expect(await dataDir.read('token-keys.json')).toEqual(before);
  });

  it('an unknown key is refused', async () => {
    const { dataDir, clock } = await setup();
    expect(await meshErrorOf(() => retireTokenKey({ dataDir, clock, id: 'x' }))).toMatchObject({
      code: 'usage',
      message: 'expected the id of an older token key but got another id',
    });
  });
});

describe('keys in use', () => {
  it('take over a changed file, and say whether it changed', async () => {
    const { keys, rotate } = await setup();
    const old = keys.sign(REQUEST).token;
    expect(await keys.reload()).toBe(false);
    const [first] = await rotate(HOUR_MS);
    expect(kidOf(keys.sign(REQUEST).token)).toBe(kidOf(old));
    expect(await keys.reload()).toBe(true);
    expect(await keys.reload()).toBe(false);
    expect(kidOf(keys.sign(REQUEST).token)).toBe(first?.id);
    expect(keys.verify(old, XDS).subject).toBe('web');
  });

  it.each<[string, (dataDir: DataDir) => Promise<void>]>([
    ['damaged', (dataDir) => dataDir.write('token-keys.json', 'broken')],
    ['gone', (dataDir) => dataDir.remove('token-keys.json')],
    ['without keys', (dataDir) => dataDir.write('token-keys.json', '{"version":1,"keys":[]}')],
  ])('outlive a file that is %s, which is told once', async (_name, spoil) => {
    const { dataDir, keys } = await setup();
    const { token } = keys.sign(REQUEST);
    const good = (await dataDir.read('token-keys.json')) ?? '';
    await spoil(dataDir);
    expect(await meshErrorOf(() => keys.reload())).toMatchObject({ code: 'data-damaged' });
    expect(await keys.reload()).toBe(false);
    expect(keys.verify(token, XDS).subject).toBe('web');
    await dataDir.write('token-keys.json', good);
    expect(await keys.reload()).toBe(false);
    await spoil(dataDir);
    expect(await meshErrorOf(() => keys.reload())).toMatchObject({ code: 'data-damaged' });
  });
});

it('a lock file alone makes no folder foreign', async () => {
  const path = join(await temporaryFolder(), 'data');
  await openDataDir({ path, lock: false });
  await writeFile(join(path, 'token-keys.lock'), '');
  await expect(openDataDir({ path, lock: false })).resolves.toBeDefined();
});
