import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { DataWatch } from '../../src/data/index.js';
import { ManualClock } from '../fakes/manual-clock.js';

async function setup() {
  const path = await mkdtemp(join(tmpdir(), 'countersign-watch-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  const clock = new ManualClock();
  const errors: unknown[] = [];
  const watch = new DataWatch({
    path,
    folders: ['later'],
    clock,
    onError: (error) => errors.push(error),
  });
  onTestFinished(() => watch.stop());
  return { path, clock, watch, errors };
}

it('looks every two seconds, whatever the file system tells', async () => {
  const { clock, watch } = await setup();
  let looks = 0;
  watch.onChange(async () => {
    looks++;
  });
  watch.start();
  clock.advance(2_000);
  await watch.check();
  expect(looks).toBe(2);
});

it('a look that fails is told once and keeps no other from looking', async () => {
  const { watch, errors } = await setup();
  const failure = new Error('damaged');
  let looked = false;
  watch.onChange(async () => {
    throw failure;
  });
  watch.onChange(async () => {
    looked = true;
  });
  await watch.check();
  await watch.check();
  expect([errors, looked]).toEqual([[failure], true]);
});

it('a file that a command writes is noticed', async () => {
  const { path, clock, watch } = await setup();
  const seen = new Promise<void>((resolve) => {
    watch.onChange(async () => resolve());
  });
  watch.start();
  await mkdir(join(path, 'later'));
  await writeFile(join(path, 'file.json'), '{}');
  // The notice comes from the system; the pause after it, beside the poll, is the clock's.
  await vi.waitFor(() => expect(clock.pending).toBe(2), { timeout: 10_000 });
  clock.advance(20);
  await seen;
});

it('a stopped one looks no more', async () => {
  const { clock, watch } = await setup();
  let looks = 0;
  watch.onChange(async () => {
    looks++;
  });
  watch.start();
  await watch.stop();
  clock.advance(10_000);
  await watch.check();
  expect([looks, clock.pending]).toEqual([0, 0]);
});
