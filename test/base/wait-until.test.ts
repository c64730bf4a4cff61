import { expect, it } from 'vitest';
import { Listeners, waitUntil } from '../../src/base/index.js';
import { ManualClock } from '../fakes/manual-clock.js';

const HOUR_MS = 3_600_000;

function start(signal?: AbortSignal) {
  const clock = new ManualClock();
  const changed = new Listeners();
  const world: { answer: string | undefined; looks: number } = { answer: undefined, looks: 0 };
  const listening = { count: 0 };
  const options = {
    look: () => {
      world.looks++;
      return world.answer;
    },
    onChange: (listener: () => void) => {
      listening.count++;
      const cancel = changed.add(listener);
      return () => {
        listening.count--;
        cancel();
      };
    },
    clock,
    timeoutMs: HOUR_MS,
    signal,
  };
  return { clock, changed, world, listening, wait: () => waitUntil(options) };
}

it('answers at once where there is an answer', async () => {
  const { clock, world, listening, wait } = start();
  world.answer = 'yes';
  expect(await wait()).toEqual({ kind: 'answer', value: 'yes' });
  expect([clock.pending, listening.count]).toEqual([0, 0]);
});

it('looks again at each change, until there is an answer', async () => {
  const { clock, changed, world, listening, wait } = start();
  const waited = wait();
  changed.notify();
  world.answer = 'yes';
  changed.notify();
  changed.notify();
  expect(await waited).toEqual({ kind: 'answer', value: 'yes' });
  expect([world.looks, clock.pending, listening.count]).toEqual([3, 0, 0]);
});

it('ends when the time is up', async () => {
  const { clock, listening, wait } = start();
  const waited = wait();
  clock.advance(HOUR_MS);
  expect(await waited).toEqual({ kind: 'timeout' });
  expect([clock.pending, listening.count]).toEqual([0, 0]);
});

it('an aborted wait ends at once, and does not live on until its timeout', async () => {
  const abort = new AbortController();
  const { clock, changed, world, listening, wait } = start(abort.signal);
  const waited = wait();
  abort.abort();
  expect(await waited).toEqual({ kind: 'aborted' });
  expect([clock.pending, listening.count]).toEqual([0, 0]);
  changed.notify();
  expect(world.looks).toBe(1);
});

it('a wait that was aborted before it began does not begin', async () => {
  const { clock, world, listening, wait } = start(AbortSignal.abort());
  expect(await wait()).toEqual({ kind: 'aborted' });
  expect([world.looks, clock.pending, listening.count]).toEqual([0, 0, 0]);
});
