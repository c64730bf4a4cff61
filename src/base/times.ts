// The time of day and what it may be. A clock can be wrong for a while (set by hand, restored with
// a virtual machine, corrected after a boot): what is issued then has to hold by every time that it
// may be, and what has ended has to have ended by all of them. A clock that nobody doubts says one
// time thrice.
import type { Clock } from './clock.js';

/** Ms since the epoch. Neither is earlier than `earliestMs` or later than `latestMs`. */
export interface Times {
  /** What the clock says. */
  readonly nowMs: number;
  readonly earliestMs: number;
  readonly latestMs: number;
}

/** A clock that knows whether it is to be believed. */
export interface CheckedClock extends Clock {
  times(): Times;
}

/** What time it is by this clock, and may be. */
export function timesOf(clock: Clock): Times {
  if (isChecked(clock)) return clock.times();
  const nowMs = clock.now();
  return { nowMs, earliestMs: nowMs, latestMs: nowMs };
}

function isChecked(clock: Clock): clock is CheckedClock {
  return 'times' in clock;
}
