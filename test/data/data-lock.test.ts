import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { takeDataLock } from '../../src/data/data-lock.js';

test('a missing program is named, and not as a missing file of the data folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-lock-'));
  const path = process.env['PATH'];
  onTestFinished(async () => {
    process.env['PATH'] = path;
    await rm(folder, { recursive: true });
  });
  process.env['PATH'] = folder;
  await expect(takeDataLock(join(folder, 'lock'))).rejects.toMatchObject({
    code: 'data-unwritable',
    message: expect.stringContaining('"flock" to lock'),
    variant: 'flock',
  });
});
