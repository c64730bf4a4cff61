import { cp, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { DataGuard } from '../../src/server/data-guard.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { recordingLogger } from '../fakes/recording-logger.js';

// The data folder taken away under a running server: said, and nothing of it believed.

async function setUp() {
  const dir = await mkdtemp(join(tmpdir(), 'countersign-guard-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, 'data');
  await mkdir(path);
  for (const name of ['lock', 'authority.json']) await writeFile(join(path, name), '{}');
  const clock = new ManualClock();
  const logger = recordingLogger();
  const more: string[] = [];
  const parts = ['authority.json', 'step-ca.json'];
  const guard = await DataGuard.open({ path, parts, moreParts: () => more, clock, logger });
  const levels = () => logger.lines.map(({ level }) => level);
  return { dir, path, clock, guard, more, levels };
}

it('the data folder deleted under a running server is said once, and hourly', async () => {
  const { path, clock, guard, levels } = await setUp();
  expect([await guard.isWhole(), guard.trouble]).toEqual([true, undefined]);
  await rm(path, { recursive: true });
  expect(await guard.isWhole()).toBe(false);
  expect(guard.trouble).toContain(`the data folder ${path} is gone: what is in force stays`);
  expect(await guard.isWhole()).toBe(false);
  expect(levels()).toEqual(['error']);
  clock.advance(3_600_000);
  expect(await guard.isWhole()).toBe(false);
  expect(levels()).toEqual(['error', 'error']);
  await expect(guard.assertWhole()).rejects.toMatchObject({ code: 'data-unreadable' });
});

it('moved away and back, the trouble ends with its cause', async () => {
  const { dir, path, guard, levels } = await setUp();
  await rename(path, join(dir, 'elsewhere'));
  expect(await guard.isWhole()).toBe(false);
  await rename(join(dir, 'elsewhere'), path);
  expect([await guard.isWhole(), guard.trouble]).toEqual([true, undefined]);
  expect(levels()).toEqual(['error', 'info']);
});

it('another folder in its place is not taken for it, nor is a copy', async () => {
  const { dir, path, guard } = await setUp();
  await cp(path, join(dir, 'copy'), { recursive: true });
  await rename(path, join(dir, 'elsewhere'));
  await rename(join(dir, 'copy'), path);
  expect(await guard.isWhole()).toBe(false);
  expect(guard.trouble).toContain('is another than the one that this server opened');
});

it.each([
  ['a key', 'authority.json', []],
  ['the folder of revocations while some are in force', 'revocations', ['revocations']],
])('a part that is gone is named: %s', async (_name, part, inForce) => {
  const { path, guard, more } = await setUp();
  more.push(...inForce);
  await rm(join(path, part), { recursive: true, force: true });
  expect(await guard.isWhole()).toBe(false);
  expect(guard.trouble).toContain(`lacks ${part}: what is in force stays`);
});
