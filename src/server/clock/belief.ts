// How far the time of day is to be believed. Pure: what was believed, and what two clocks say now
// (the time of day, which anybody can set, and a count of time, which nobody can), gives what is
// believed from now on.
//
// A time is doubted where it isn't what the count makes of the last one that was believed. It is
// believed again when it fits again, or when it has run on for a day without another step: a clock
// that was wrong for a moment proves nothing, one that was corrected is taken after a while. Where
// the machine was started since, the count began anew and the time that it was off is not known:
// only an earlier time than was seen is odd, or one so much later that a wrong clock is likelier.
import { DAY_MS, MINUTE_MS, SECOND_MS, type Times } from '../../base/index.js';

/** Both at one moment. */
export interface Reading {
  /** Ms since the epoch. */
  readonly nowMs: number;
  /** A count that nobody sets: the machine's uptime. */
  readonly elapsedMs: number;
}

export interface Doubt {
  /** By how much the clock is ahead of what it should be; negative: behind. */
  readonly aheadMs: number;
  /** On the count: since when it has run on without another step. */
  readonly sinceElapsedMs: number;
  /** The last reading. */
  readonly last: Reading;
  /** It was so when the machine had started: how long it was off is not known. */
  readonly isFromStart: boolean;
}

export interface Belief {
  /** The last time that was believed. */
  readonly trusted: Reading;
  /** `trusted` is of before the machine's start: only the time of day of it means something. */
  readonly isStored: boolean;
  readonly doubt: Doubt | undefined;
}

/** Less is a leap second or an adjustment like any other; certificates are back-dated by more. */
export const TOLERANCE_MS = MINUTE_MS;
/** Two readings are never quite of one moment, and an uptime may come in whole seconds. */
const STEP_MS = 2 * SECOND_MS;
/** A clock that has run steadily for so long is believed, whatever it says. */
export const LONGEST_DOUBT_MS = DAY_MS;
/** A machine may have been off for so long. */
const LONGEST_OFF_MS = 30 * DAY_MS;
/** From then on nothing is begun that can't be taken back. */
const HOLD_FROM_MS = DAY_MS;

/**
 * What a server believes that has just started.
 * @param stored The last time that it believed before; without a count where the machine was
 * started since. Undefined: nothing is known.
 */
export function firstBelief(
  stored: { readonly nowMs: number; readonly elapsedMs: number | undefined } | undefined,
  reading: Reading,
): Belief {
  if (stored === undefined) return { trusted: reading, isStored: false, doubt: undefined };
  const { nowMs, elapsedMs } = stored;
  const trusted = { nowMs, elapsedMs: elapsedMs ?? reading.elapsedMs };
  return judge({ trusted, isStored: elapsedMs === undefined, doubt: undefined }, reading);
}

export function judge(belief: Belief, reading: Reading): Belief {
  const aheadMs = reading.nowMs - toExpectedMs(belief, reading);
  const believed: Belief = { trusted: reading, isStored: false, doubt: undefined };
  if (Math.abs(aheadMs) <= TOLERANCE_MS) return believed;
  const { doubt: before, isStored } = belief;
  const isSteady = before !== undefined && !isStep(before.last, reading);
  const isFromStart = isSteady ? before.isFromStart : before === undefined && isStored;
  const sinceElapsedMs = isSteady ? before.sinceElapsedMs : reading.elapsedMs;
  const doubt = { aheadMs, sinceElapsedMs, last: reading, isFromStart };
  if (reading.elapsedMs - sinceElapsedMs >= LONGEST_DOUBT_MS) return believed;
  return { ...belief, doubt };
}

/** All that the time may be. */
export function toBelievedTimes(belief: Belief, reading: Reading): Times {
  const { nowMs } = reading;
  if (belief.doubt === undefined) return { nowMs, earliestMs: nowMs, latestMs: nowMs };
  const expectedMs = toExpectedMs(belief, reading);
  return {
    nowMs,
    earliestMs: Math.min(nowMs, expectedMs),
    latestMs: Math.max(nowMs, expectedMs),
  };
}

/** Whether an operator is to know: not of a machine that was off for a while. */
export function isOdd({ isFromStart, aheadMs }: Doubt): boolean {
  return !isFromStart || aheadMs < 0 || aheadMs > LONGEST_OFF_MS;
}

/** Whether what can't be taken back waits. */
export function holdsBack(doubt: Doubt): boolean {
  return isOdd(doubt) && Math.abs(doubt.aheadMs) >= HOLD_FROM_MS;
}

function toExpectedMs({ trusted }: Belief, { elapsedMs }: Reading): number {
  return trusted.nowMs + elapsedMs - trusted.elapsedMs;
}

function isStep(last: Reading, next: Reading): boolean {
  const passedMs = next.elapsedMs - last.elapsedMs;
  return Math.abs(next.nowMs - last.nowMs - passedMs) > STEP_MS;
}
