import { describe, expect, it } from 'vitest';
import { Signal, waitUntil } from '../../src/base/index.js';
import { ManualClock } from '../fakes/manual-clock.js';

function setUp() {
  const clock = new ManualClock();
  const gone = new AbortController();
  const changes = new Signal();
  let listeners = 0;
  let found: string | undefined;
  const subscribe = (listener: () => void) => {
    const cancel = changes.subscribe(listener);
    listeners++;
    return () => {
      listeners--;
      cancel();
    };
  };
  const wait = (look: () => string | undefined = () => found) =>
    waitUntil(look, { clock, timeoutMs: 1_000, subscribe, signal: gone.signal });
  const find = (value: string): void => {
    found = value;
    changes.emit();
  };
  return { clock, gone, changes, wait, find, left: () => [clock.pending, listeners] };
}

describe('a wait', () => {
  it('is over at once where there is an answer', async () => {
    const { wait, find, left } = setUp();
    find('here');
    expect(await wait()).toEqual({ kind: 'answer', value: 'here' });
    expect(left()).toEqual([0, 0]);
  });

  it('is over at the notice that finds the answer', async () => {
    const { wait, find, changes, left } = setUp();
    const waiting = wait();
    changes.emit();
    expect(left()).toEqual([1, 1]);
    find('late');
    expect(await waiting).toEqual({ kind: 'answer', value: 'late' });
    expect(left()).toEqual([0, 0]);
  });

  it('is over when the time is up', async () => {
    const { wait, clock, left } = setUp();
    const waiting = wait();
    clock.advance(1_000);
    expect(await waiting).toEqual({ kind: 'timeout' });
    expect(left()).toEqual([0, 0]);
  });

  it.each(['before it', 'while it waits'])('is over when who waits leaves %s', async (when) => {
    const { wait, gone, left } = setUp();
    if (when === 'before it') gone.abort();
    const waiting = wait();
    gone.abort();
    expect(await waiting).toEqual({ kind: 'aborted' });
    expect(left()).toEqual([0, 0]);
  });

  it('rejects with what a look throws, and leaves nothing behind', async () => {
    const { wait, left } = setUp();
    const waiting = wait(() => {
      throw new Error('no look');
    });
    await expect(waiting).rejects.toThrow('no look');
    expect(left()).toEqual([0, 0]);
  });
});
