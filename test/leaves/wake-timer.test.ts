import { expect, it } from 'vitest';
import { WakeTimer } from '../../src/leaves/wake-timer.js';

/** Timers that fire when the test says so, as late as a busy process is. */
function setUp() {
  let nowMs = 1_000;
  const timers = new Map<object, { readonly afterMs: number; readonly run: () => void }>();
  const clock = {
    now: () => nowMs,
    after(afterMs: number, run: () => void) {
      const key = {};
      timers.set(key, { afterMs, run });
      return () => void timers.delete(key);
    },
  };
  let wakings = 0;
  const timer = new WakeTimer(clock, () => {
    wakings++;
  });
  return {
    timer,
    wakings: () => wakings,
    setClock: (ms: number) => {
      nowMs = ms;
    },
    pending: () => [...timers.values()].map(({ afterMs }) => afterMs),
    fire() {
      for (const [key, { run }] of [...timers]) {
        timers.delete(key);
        run();
      }
    },
  };
}

it('a waking that is late is not put off by one that is wanted later', () => {
  const { timer, setClock, pending, fire, wakings } = setUp();
  timer.wakeAt(5_000);
  setClock(5_001);
  timer.wakeAt(10_000);
  expect(pending()).toEqual([0]);
  timer.wakeAt(20_000);
  fire();
  expect([wakings(), pending()]).toEqual([1, []]);
});

it('a waking comes at once when the clock was set past it', () => {
  const { timer, setClock, pending } = setUp();
  timer.wakeAt(5_000);
  setClock(9_000_000);
  timer.wakeAt(9_030_000);
  expect(pending()).toEqual([0]);
});

it('the earliest of all is what it is set for', () => {
  const { timer, pending, fire, wakings } = setUp();
  for (const atMs of [9_000, 5_000, 7_000]) timer.wakeAt(atMs);
  expect(pending()).toEqual([4_000]);
  fire();
  timer.wakeAt(500);
  expect([wakings(), pending()]).toEqual([1, [0]]);
});
