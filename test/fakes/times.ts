import type { Times } from '../../src/base/index.js';

/** A time that nobody doubts. */
export function toTimes(nowMs: number): Times {
  return { nowMs, earliestMs: nowMs, latestMs: nowMs };
}
