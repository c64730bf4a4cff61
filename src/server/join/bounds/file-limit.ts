// How many connections the process can have, by how many files it may open. Some are kept for the
// admin port, the data folder and whatever it watches: a server that is full of connections could
// neither be asked what is wrong nor store who is revoked.
import { readFileSync } from 'node:fs';
import type { ConnectionLimits } from './connections.js';

/** Kept, and one in so many beside. */
const KEPT = 128;
const KEPT_PART = 8;
/** More connections than this are never taken. */
const MOST = 20_000;
/** Without a fleet's token nobody needs more. */
const MOST_UNPROVED = 2_000;
/** Whole fleets may be behind one address. */
export const DEFAULT_OF_ADDRESS = 5_000;

/** @param files How many the process may open. */
export function readConnectionLimits(ofAddress: number, files = readFileLimit()): ConnectionLimits {
  const all = Math.max(1, Math.min(MOST, Math.floor(files - KEPT - files / KEPT_PART)));
  const unproved = Math.max(1, Math.min(MOST_UNPROVED, Math.floor(all / 2)));
  return { all, ofAddress: Math.min(ofAddress, all), unproved };
}

/** How many files this process may open; where the system doesn't say, as many as needed. */
function readFileLimit(): number {
  const limit = /^Max open files +(\d+)/m.exec(tryRead('/proc/self/limits'))?.[1];
  return limit === undefined ? Number.MAX_SAFE_INTEGER : Number(limit);
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
