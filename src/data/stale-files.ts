// Temporary files that a killed process has left in the data folder. They may hold parts of keys,
// and nobody comes for them. Commands write beside a running server: only what is too old to be a
// write under way is removed.

import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HOUR_MS } from '../base/index.js';
import { TEMPORARY } from './data-folder.js';

/** A write takes milliseconds; a machine may have slept in the middle of one. */
export const STALE_AFTER_MS = HOUR_MS;

/**
 * Removes them from the folder and the folders in it; how many. Best effort: what can't be removed
 * is left for the next time.
 */
export async function removeStale(path: string, nowMs: number): Promise<number> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  const folders = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(path, name));
  let removed = 0;
  for (const folder of [path, ...folders]) removed += await removeStaleOf(folder, nowMs);
  return removed;
}

async function removeStaleOf(folder: string, nowMs: number): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  let removed = 0;
  for (const name of names) {
    if (!name.startsWith(TEMPORARY)) continue;
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() !== true || nowMs - found.mtimeMs < STALE_AFTER_MS) continue;
    const isGone = await rm(path).then(
      () => true,
      () => false,
    );
    if (isGone) removed++;
  }
  return removed;
}
