// What the soak judges by; the soak itself is `npm run soak`.
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../fakes/manual-clock.js';
import type { Route } from './calls.js';
import { choose } from './faults.js';
import { luckOf } from './luck.js';
import { Windows } from './windows.js';

const shot = () => ({ fire: async () => '200', close: () => undefined });
const routeTo = (callee: string): Route => ({
  ...{ name: callee, isAllowed: true, shot },
  through: ['web', callee],
});
const LEDGER = routeTo('ledger');
const STORE = routeTo('store');

function setUp({ isAlone = true } = {}) {
  const clock = new ManualClock();
  const beganMs = clock.now();
  const windows = new Windows({ isAlone, clock });
  const why = (route: Route, fromMs: number, untilMs: number): string | undefined =>
    windows.whyOf({ route, fromMs: beganMs + fromMs, untilMs: beganMs + untilMs });
  return { clock, windows, why };
}

describe('a call that failed', () => {
  it('is excused by no window that it was not in', () => {
    const { clock, windows, why } = setUp();
    expect(why(LEDGER, 0, 10_000)).toBeUndefined();
    windows.open('away', { afterMs: 4_000 });
    clock.advance(9_000);
    windows.close(1_000);
    expect(why(LEDGER, 0, 3_999)).toBeUndefined();
    expect(why(LEDGER, 3_000, 4_500)).toBe('away');
    expect(why(LEDGER, 9_900, 15_000)).toBe('away');
    expect(why(LEDGER, 10_000, 15_000)).toBeUndefined();
  });

  it('is excused by a sidecar that it goes through alone', () => {
    const { windows, why } = setUp();
    windows.open('away', { through: 'store' });
    expect([why(LEDGER, 0, 100), why(STORE, 0, 100)]).toEqual([undefined, 'away']);
  });

  it('is excused for as long as is stated; by two faults at once until all is served', () => {
    const [one, two] = [setUp(), setUp({ isAlone: false })];
    for (const { windows } of [one, two]) windows.open('clock', { lastsMs: 5_000 });
    expect([one.why(LEDGER, 4_000, 4_100), one.why(LEDGER, 5_000, 5_100)]).toEqual([
      'clock',
      undefined,
    ]);
    expect(two.why(LEDGER, 5_000, 5_100)).toBe('clock');
  });
});

describe('the next faults', () => {
  const namesOf = (seed: string): string =>
    choose(luckOf(seed))
      .map(({ name }) => name)
      .join(' + ');

  it('are the same for a seed, and sometimes two of different parts', () => {
    const seeds = Array.from({ length: 500 }, (_, index) => `seed:${index}`);
    expect(seeds.map(namesOf)).toEqual(seeds.map(namesOf));
    const pairs = seeds.map((seed) => choose(luckOf(seed))).filter((chosen) => chosen.length === 2);
    expect(pairs.length).toBeGreaterThan(50);
    for (const pair of pairs) {
      const parts = pair.flatMap(({ of }) => of);
      expect(new Set(parts).size).toBe(parts.length);
    }
  });
});
