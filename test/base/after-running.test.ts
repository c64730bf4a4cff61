import { describe, expect, test } from 'vitest';
import { afterRunning } from '../../src/base/index.js';
import { ManualClock } from '../fakes/manual-clock.js';

/** A clock whose process may stand still: its timers then fire late by the machine's own time. */
function start(delayMs: number) {
  const clock = new ManualClock();
  let stoodMs = 0;
  let fired = 0;
  const cancel = afterRunning({
    clock,
    delayMs,
    callback: () => {
      fired++;
    },
    runMs: () => clock.uptime.ms() + stoodMs,
  });
  return {
    ...{ clock, cancel },
    standStill: (ms: number) => {
      stoodMs += ms;
    },
    fired: () => fired,
  };
}

describe('a deadline', () => {
  test('comes after its time, to the millisecond, and once', () => {
    const { clock, fired } = start(10_250);
    clock.advance(10_249);
    expect(fired()).toBe(0);
    clock.advance(1);
    expect(fired()).toBe(1);
    clock.advance(60_000);
    expect([fired(), clock.pending]).toEqual([1, 0]);
  });

  test('of no time comes at the next turn', () => {
    const { clock, fired } = start(0);
    expect(fired()).toBe(0);
    clock.advance(0);
    expect(fired()).toBe(1);
  });

  test('does not come because the process stood still, at its end or before', () => {
    const { clock, fired, standStill } = start(10_000);
    clock.advance(3_500);
    standStill(60_000);
    clock.advance(6_500);
    expect(fired()).toBe(0);
    // The slice in which it stood still counts for nothing.
    clock.advance(999);
    standStill(7_000);
    clock.advance(1);
    expect(fired()).toBe(0);
    clock.advance(1_000);
    expect(fired()).toBe(1);
  });

  test('of a process that never runs comes all the same', () => {
    const { clock, fired, standStill } = start(5_000);
    for (let slice = 0; slice < 10; slice++) {
      expect(fired()).toBe(0);
      standStill(1_000);
      clock.advance(1_000);
    }
    expect(fired()).toBe(1);
  });

  test('that is cancelled, between two slices too, never comes', () => {
    const { clock, cancel, fired } = start(3_000);
    clock.advance(2_500);
    cancel();
    clock.advance(60_000);
    expect([fired(), clock.pending]).toEqual([0, 0]);
  });
});
