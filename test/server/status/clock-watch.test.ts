import { expect, it } from 'vitest';
import { ClockWatch, type ClockWatchOptions } from '../../../src/server/status/clock-watch.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { settle } from '../../fakes/settle.js';

// A clock that was set, under the server or between two runs of it, is said.

const MINUTE = 60_000;
type Mark = Parameters<ClockWatchOptions['store']['write']>[0];

/** A machine: its clock can be set, its uptime can't. */
class Machine {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore<Mark>();
  bootId: string | undefined = 'boot-1';
  #upMs = 5 * MINUTE;

  readonly uptime = (() => {
    const machine = this;
    return {
      ms: () => machine.#upMs,
      get bootId() {
        return machine.bootId;
      },
    };
  })();

  pass(ms: number): void {
    for (let leftMs = ms; leftMs > 0; leftMs -= MINUTE) {
      this.#upMs += Math.min(MINUTE, leftMs);
      this.clock.advance(Math.min(MINUTE, leftMs));
    }
  }

  set(byMs: number): void {
    this.clock.jump(byMs);
  }

  async serve(): Promise<{ watch: ClockWatch; logged: () => readonly string[] }> {
    const logger = recordingLogger();
    const { clock, uptime, store } = this;
    const watch = new ClockWatch({ clock, uptime, store, logger });
    await watch.restore();
    watch.start();
    return { watch, logged: () => logger.lines.map(({ level }) => level) };
  }
}

it.each([
  [15, 'it was set forward by 15m'],
  [-15, 'it was set back by 15m'],
])('a clock set by %i minutes under the server is said, until it is right', async (by, text) => {
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

it.each([15, -15])('a server started with a clock that is %i minutes off says so', async (by) => {
  const machine = new Machine();
  const first = await machine.serve();
  machine.pass(3 * MINUTE);
  await settle();
  first.watch.stop();
  machine.set(by * MINUTE);
  const { watch, logged } = await machine.serve();
  expect(watch.trouble).toContain(by > 0 ? 'set forward by 15m' : 'set back by 15m');
  expect(logged()).toEqual(['error']);
  // What is in doubt is not what the next start compares with.
  machine.pass(3 * MINUTE);
  await settle();
  watch.stop();
  expect((await machine.serve()).watch.trouble).toBeDefined();
});

it('after a start of the machine: a time before what was seen is said', async () => {
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

it('a machine that slept, and a clock that is adjusted a little, are no doubt', async () => {
  const machine = new Machine();
  const { watch } = await machine.serve();
  machine.pass(600 * MINUTE);
  machine.set(50_000);
  machine.pass(MINUTE);
  machine.set(50_000);
  machine.pass(MINUTE);
  expect(watch.trouble).toBeUndefined();
});

it('after a day of it the new time is taken for right', async () => {
  const machine = new Machine();
  const { watch } = await machine.serve();
  machine.set(-15 * MINUTE);
  machine.pass(24 * 60 * MINUTE);
  expect(watch.trouble).toBeDefined();
  machine.pass(2 * MINUTE);
  expect(watch.trouble).toBeUndefined();
});
