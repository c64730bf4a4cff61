import { expect, it } from 'vitest';
import { PersistentStore } from '../../../src/server/fleet/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { settle } from '../../fakes/settle.js';

function setUp() {
  const clock = new ManualClock();
  const inner = new MemoryStore<string>();
  return { clock, inner, store: new PersistentStore(inner, clock) };
}

it('what could not be stored is stored when it can be, though nothing changes', async () => {
  const { clock, inner, store } = setUp();
  inner.failure = new Error('disk full');
  await expect(store.write('one')).rejects.toThrow('disk full');
  clock.advance(5_000);
  await settle();
  expect([inner.value, clock.pending]).toEqual([undefined, 1]);
  inner.failure = undefined;
  clock.advance(5_000);
  await settle();
  expect([inner.value, clock.pending]).toEqual(['one', 0]);
});

it('a newer one takes the place of one that is still to be stored', async () => {
  const { clock, inner, store } = setUp();
  inner.failure = new Error('disk full');
  await expect(store.write('one')).rejects.toThrow();
  inner.failure = undefined;
  await store.write('two');
  clock.advance(5_000);
  await settle();
  expect([inner.value, inner.writes]).toEqual(['two', 1]);
});

it('a stopped one tries no more', async () => {
  const { clock, inner, store } = setUp();
  inner.failure = new Error('disk full');
  await expect(store.write('one')).rejects.toThrow();
  store.stop();
  expect(clock.pending).toBe(0);
});
