import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Belief,
  firstBelief,
  holdsBack,
  isOdd,
  judge,
  LONGEST_DOUBT_MS,
  type Reading,
  TOLERANCE_MS,
  toBelievedTimes,
} from '../../../src/server/clock/belief.js';

const NOW_MS = Date.UTC(2026, 0, 1);
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** After so long, by a clock that is ahead by so much. */
const at = (elapsedMs: number, aheadMs = 0): Reading => ({
  nowMs: NOW_MS + elapsedMs + aheadMs,
  elapsedMs,
});
const running = (): Belief => firstBelief(undefined, at(0));
const run = (belief: Belief, ...readings: Reading[]): Belief => readings.reduce(judge, belief);

/** Looked at every minute. */
function runOn(belief: Belief, fromMs: number, { forMs, aheadMs }: Record<string, number>): Belief {
  let next = belief;
  for (let ms = fromMs; ms <= fromMs + (forMs ?? 0); ms += MINUTE_MS) {
    next = judge(next, at(ms, aheadMs));
  }
  return next;
}

describe('a clock that runs', () => {
  it('is believed, also where it is slewed', () => {
    let belief = running();
    // Half a second in a minute, for a day: more than any daemon slews.
    for (let minute = 1; minute <= 1_440; minute++) {
      belief = judge(belief, at(minute * MINUTE_MS, minute * 500));
    }
    expect(belief.doubt).toBeUndefined();
  });

  it.each([
    ['by a minute', TOLERANCE_MS, false],
    ['by more', TOLERANCE_MS + 1, true],
    ['back by as much', -TOLERANCE_MS, false],
    ['back by more', -TOLERANCE_MS - 1, true],
  ])('and is set, %s', (_name, aheadMs, isDoubted) => {
    const belief = judge(running(), at(MINUTE_MS, aheadMs));
    expect(belief.doubt !== undefined).toBe(isDoubted);
  });

  it.each([190 * DAY_MS, -190 * DAY_MS, HOUR_MS, -HOUR_MS])(
    'and is set by %d ms for 35 s is believed as soon as it fits again',
    (aheadMs) => {
      const set = run(running(), at(MINUTE_MS, aheadMs), at(MINUTE_MS + 35_000, aheadMs));
      expect(set.doubt).toMatchObject({ aheadMs, sinceElapsedMs: MINUTE_MS, isFromStart: false });
      expect(judge(set, at(2 * MINUTE_MS)).doubt).toBeUndefined();
    },
  );

  it.each([HOUR_MS, -HOUR_MS, 190 * DAY_MS, -730 * DAY_MS])(
    'and is set by %d ms is believed when it has run on for a day',
    (aheadMs) => {
      const set = judge(running(), at(MINUTE_MS, aheadMs));
      const nearly = runOn(set, MINUTE_MS, { forMs: DAY_MS - 1, aheadMs });
      expect(nearly.doubt).toBeDefined();
      const reading = at(MINUTE_MS + DAY_MS, aheadMs);
      expect(judge(nearly, reading)).toMatchObject({ doubt: undefined, trusted: reading });
    },
  );

  it('and is set again and again proves nothing', () => {
    let belief = running();
    for (let hour = 1; hour <= 100; hour++) {
      belief = runOn(belief, hour * HOUR_MS, { forMs: 50 * MINUTE_MS, aheadMs: hour * DAY_MS });
    }
    expect(belief.doubt).toBeDefined();
  });
});

describe('a start of the server alone', () => {
  const start = (downMs: number, aheadMs: number): Belief =>
    firstBelief(
      { nowMs: NOW_MS, elapsedMs: HOUR_MS },
      {
        nowMs: NOW_MS + downMs + aheadMs,
        elapsedMs: HOUR_MS + downMs,
      },
    );

  it.each([
    ['after an hour', HOUR_MS, 0, undefined],
    ['after half a year', 190 * DAY_MS, 0, undefined],
    ['after an hour, by a clock that was set ahead', HOUR_MS, 2 * HOUR_MS, 2 * HOUR_MS],
    ['after an hour, by a clock that was set back', HOUR_MS, -2 * HOUR_MS, -2 * HOUR_MS],
  ])('%s: what the clock was set by is known', (_name, downMs, aheadMs, found) => {
    expect(start(downMs, aheadMs).doubt?.aheadMs).toBe(found);
  });
});

describe('a start after one of the machine', () => {
  const start = (aheadMs: number): Belief =>
    firstBelief({ nowMs: NOW_MS, elapsedMs: undefined }, { nowMs: NOW_MS + aheadMs, elapsedMs: 0 });

  it.each([
    ['after an hour', HOUR_MS, false, false],
    ['after a month', 30 * DAY_MS, false, false],
    ['after more', 30 * DAY_MS + 1, true, true],
    ['before what was seen', -HOUR_MS, true, false],
    ['a day before what was seen', -DAY_MS, true, true],
  ])('%s', (_name, aheadMs, odd, holds) => {
    const { doubt } = start(aheadMs);
    expect(doubt).toBeDefined();
    if (doubt === undefined) return;
    expect([isOdd(doubt), holdsBack(doubt)]).toEqual([odd, holds]);
  });

  it('by a clock that is ahead a little covers what was seen last, and then is believed', () => {
    const belief = start(3 * HOUR_MS);
    const reading = { nowMs: NOW_MS + 3 * HOUR_MS, elapsedMs: 0 };
    expect(toBelievedTimes(belief, reading)).toEqual({
      nowMs: NOW_MS + 3 * HOUR_MS,
      earliestMs: NOW_MS,
      latestMs: NOW_MS + 3 * HOUR_MS,
    });
    expect(runOn(belief, 0, { forMs: DAY_MS, aheadMs: 3 * HOUR_MS }).doubt).toBeUndefined();
  });
});

it('whatever a clock says, the time is among what it may be, and so is what it should be', () => {
  const step = fc.record({
    passedMs: fc.integer({ min: 0, max: 2 * DAY_MS }),
    setMs: fc.oneof(fc.constant(0), fc.integer({ min: -800 * DAY_MS, max: 800 * DAY_MS })),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      let belief = running();
      let reading = at(0);
      let steadyMs = 0;
      for (const { passedMs, setMs } of steps) {
        const expected = belief.trusted.nowMs + reading.elapsedMs - belief.trusted.elapsedMs;
        reading = {
          nowMs: reading.nowMs + passedMs + setMs,
          elapsedMs: reading.elapsedMs + passedMs,
        };
        steadyMs = Math.abs(setMs) > SECOND_MS ? 0 : steadyMs + passedMs;
        belief = judge(belief, reading);
        const times = toBelievedTimes(belief, reading);
        expect(times.earliestMs).toBeLessThanOrEqual(times.nowMs);
        expect(times.latestMs).toBeGreaterThanOrEqual(times.nowMs);
        if (belief.doubt !== undefined) {
          expect(times.earliestMs).toBeLessThanOrEqual(expected + passedMs);
          expect(times.latestMs).toBeGreaterThanOrEqual(expected + passedMs);
          expect(steadyMs).toBeLessThan(LONGEST_DOUBT_MS);
        }
      }
    }),
    { seed: 12 },
  );
});
