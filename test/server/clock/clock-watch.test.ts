import { describe, expect, it, onTestFinished } from 'vitest';
import type { z } from 'zod';
import { ClockWatch, type clockSchema } from '../../../src/server/clock/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { settle } from '../../fakes/settle.js';

// A clock that was set, under the server or between two runs of it, is said, and what is issued
// holds by both times.

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** A machine: its clock can be set, its uptime can't. */
class Machine {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore<z.infer<typeof clockSchema>>();
  bootId: string | undefined = 'boot-1';

  readonly uptime = (() => {
    const machine = this;
    return {
      ms: () => machine.clock.uptime.ms(),
      get bootId() {
        return machine.bootId;
      },
    };
  })();

  pass(ms: number): void {
    this.clock.advance(ms);
  }

  set(byMs: number): void {
    this.clock.jump(byMs);
  }

  async serve(isRight = false) {
    const logger = recordingLogger();
    const { clock, uptime, store } = this;
    const watch = new ClockWatch({ clock, uptime, store, logger, isRight });
    await watch.restore();
    watch.start();
    await settle();
    onTestFinished(() => watch.stop());
    return { watch, logged: () => logger.lines.map(({ level }) => level) };
  }
}

describe('a clock that is set under the server', () => {
  it.each([
    [15, 'it was set forward by 15m'],
    [-15, 'it was set back by 15m'],
  ])('by %i minutes is said, until it is right', async (by, text) => {
    const machine = new Machine();
    const { watch, logged } = await machine.serve();
    machine.pass(10 * MINUTE);
    expect(watch.trouble).toBeUndefined();
    machine.set(by * MINUTE);
    machine.pass(MINUTE);
    expect(watch.trouble).toContain(text);
    expect(logged()).toEqual(['error']);
    machine.pass(60 * MINUTE);
    expect(watch.trouble).toContain(text);
    machine.set(-by * MINUTE);
    machine.pass(MINUTE);
    expect([watch.trouble, logged()]).toEqual([undefined, ['error', 'info']]);
    watch.stop();
    expect(machine.clock.pending).toBe(0);
  });

  it('by half a year is said first, and holds what is for good', async () => {
    const machine = new Machine();
    const { watch, logged } = await machine.serve();
    const stored = machine.store.value;
    let changes = 0;
    watch.changes.add(() => {
      changes++;
    });
    machine.set(190 * DAY);
    machine.pass(2_000);
    expect(logged()).toEqual(['error']);
    expect(watch.trouble).toBe(
      'the clock of this server says 2026-07-10T00:00:02.000Z: it was set forward by 190d since ' +
        'this server last looked, so it is wrong now or was before; set it right, or say that ' +
        'it is with `countersign serve --clock-ok`: else it is believed after 24h; no new root ' +
        'is taken and no old one let go before',
    );
    expect([watch.hold, watch.aheadMs]).toEqual([watch.trouble, 190 * DAY]);
    machine.pass(60 * MINUTE);
    expect(machine.store.value).toEqual(stored);
    machine.set(-190 * DAY);
    machine.pass(2_000);
    expect([watch.trouble, watch.hold, watch.aheadMs, changes]).toEqual([
      undefined,
      undefined,
      0,
      2,
    ]);
  });
});

describe('a clock under the server that was set', () => {
  it('a little, or on a machine that slept, is no doubt', async () => {
    const machine = new Machine();
    const { watch } = await machine.serve();
    machine.pass(600 * MINUTE);
    machine.set(50_000);
    machine.pass(MINUTE);
    machine.set(50_000);
    machine.pass(MINUTE);
    expect(watch.trouble).toBeUndefined();
  });

  it('is taken for right after a day', async () => {
    const machine = new Machine();
    const { watch } = await machine.serve();
    machine.set(-15 * MINUTE);
    machine.pass(24 * 60 * MINUTE);
    expect(watch.trouble).toBeDefined();
    machine.pass(2 * MINUTE);
    expect(watch.trouble).toBeUndefined();
  });
});

describe('a clock that was set before a start', () => {
  it.each([15, -15])('by %i minutes is said', async (by) => {
    const machine = new Machine();
    const first = await machine.serve();
    machine.pass(3 * MINUTE);
    await settle();
    first.watch.stop();
    machine.set(by * MINUTE);
    const { watch, logged } = await machine.serve();
    expect(watch.trouble).toContain(by > 0 ? 'set forward by 15m' : 'set back by 15m');
    expect(logged()).toEqual(['error']);
    const nowMs = machine.clock.now();
    const [earliestMs = 0, latestMs = 0] = [nowMs, nowMs - by * MINUTE].sort((a, b) => a - b);
    expect(watch.times()).toEqual({ nowMs, earliestMs, latestMs });
    // What is in doubt is not what the next start compares with.
    machine.pass(3 * MINUTE);
    await settle();
    watch.stop();
    expect((await machine.serve()).watch.trouble).toBeDefined();
  });

  it('of the machine: a time before what was seen is said', async () => {
    const machine = new Machine();
    const first = await machine.serve();
    machine.pass(3 * MINUTE);
    await settle();
    first.watch.stop();
    machine.bootId = 'boot-2';
    machine.set(15 * MINUTE);
    expect((await machine.serve()).watch.trouble).toBeUndefined();
    machine.bootId = undefined;
    machine.set(-30 * MINUTE);
    expect((await machine.serve()).watch.trouble).toMatch(/ran at .* already: it is 15m behind/);
  });
});

describe('a clock at a start', () => {
  it('of the machine: one much later is, and a week is not', async () => {
    const machine = new Machine();
    (await machine.serve()).watch.stop();
    machine.bootId = 'boot-2';
    machine.set(7 * DAY);
    const week = await machine.serve();
    expect([week.watch.trouble, week.watch.hold, week.logged()]).toEqual([
      undefined,
      undefined,
      [],
    ]);
    // What is issued holds by both times all the same.
    expect(week.watch.times().earliestMs).toBe(machine.clock.now() - 7 * DAY);
    week.watch.stop();
    machine.set(190 * DAY);
    expect((await machine.serve()).watch.trouble).toMatch(/ran at .* last: it is 197d ahead/);
  });

  it('is right where the operator says so, and from then on', async () => {
    const machine = new Machine();
    (await machine.serve()).watch.stop();
    machine.set(-190 * DAY);
    const doubted = await machine.serve();
    expect(doubted.watch.trouble).toContain('set back by 190d');
    doubted.watch.stop();
    const { watch } = await machine.serve(true);
    expect([watch.trouble, watch.times().latestMs]).toEqual([undefined, machine.clock.now()]);
    watch.stop();
    expect((await machine.serve()).watch.trouble).toBeUndefined();
  });
});
