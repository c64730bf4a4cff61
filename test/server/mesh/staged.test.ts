// The machine below the rollout and the change of root.
import { expect, it } from 'vitest';
import { STAGE_DEADLINE_MS, STORE_RETRY_MS, Staged } from '../../../src/server/mesh/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';

type Stage = 'a' | 'b' | 'c';
const NEXT: Record<Stage, Stage | undefined> = { a: 'b', b: 'c', c: undefined };

/** A change of three stages whose disk and whose sidecars do what the test says. */
function start({ stores = true }: { stores?: boolean } = {}) {
  const clock = new ManualClock();
  const world = { isFull: false, waited: new Set<Stage>(), mute: new Set<Stage>() };
  const log: string[] = [];
  const staged = new Staged<Stage>({
    clock,
    store: (stage) => {
      if (!stores) return undefined;
      log.push(`store ${stage}`);
      return world.isFull ? Promise.reject(new Error('full')) : Promise.resolve();
    },
    onStoreError: () => log.push('not stored'),
    onEnter: (stage) => log.push(`enter ${stage}`),
    isDone: (stage, isOverdue) => !world.waited.has(stage) && (isOverdue || !world.mute.has(stage)),
    next: (stage) => NEXT[stage],
  });
  return { clock, world, log, staged };
}

it('a stage is stored before it is entered, and each follows the one before', async () => {
  const { clock, log, staged } = start();
  staged.begin('a');
  expect([staged.state.kind, log]).toEqual(['storing', ['store a']]);
  await staged.settled();
  await staged.settled();
  expect(log).toEqual(['store a', 'enter a', 'store b', 'enter b', 'store c', 'enter c']);
  expect([staged.state.kind, clock.pending]).toEqual(['idle', 0]);
});

it('with nothing to store it is entered at once', () => {
  const { log, staged } = start({ stores: false });
  staged.begin('a');
  staged.advance();
  expect([staged.state.kind, log]).toEqual(['idle', ['enter a', 'enter b', 'enter c']]);
});

it('waits for whom it has to, past the deadline too', async () => {
  const { clock, world, log, staged } = start();
  world.waited.add('a');
  staged.begin('a');
  await staged.settled();
  clock.advance(10 * STAGE_DEADLINE_MS);
  expect([staged.state, log]).toMatchObject([
    { kind: 'waiting', stage: 'a', isOverdue: true },
    ['store a', 'enter a'],
  ]);
  world.waited.clear();
  staged.advance();
  await staged.settled();
  expect(log).toContain('enter b');
});

it('the mute stop counting at the deadline, of each stage anew', async () => {
  const { clock, world, log, staged } = start();
  world.mute.add('a').add('b');
  staged.begin('a');
  await staged.settled();
  clock.advance(STAGE_DEADLINE_MS - 1);
  expect(log).not.toContain('store b');
  clock.advance(1);
  await staged.settled();
  expect(staged.state).toMatchObject({ kind: 'waiting', stage: 'b', isOverdue: false });
});

it('what can not be stored is not entered, and is tried again', async () => {
  const { clock, world, log, staged } = start();
  world.isFull = true;
  staged.begin('a');
  await staged.settled();
  clock.advance(STORE_RETRY_MS);
  await staged.settled();
  expect([staged.state.kind, log]).toEqual([
    'paused',
    ['store a', 'not stored', 'store a', 'not stored'],
  ]);
  world.isFull = false;
  clock.advance(STORE_RETRY_MS);
  await staged.settled();
  expect(log).toContain('enter a');
});

it('who came while the disk was full is waited for before the next stage', async () => {
  const { clock, world, log, staged } = start();
  world.waited.add('a');
  staged.begin('a');
  await staged.settled();
  world.isFull = true;
  world.waited.clear();
  staged.advance();
  await staged.settled();
  world.isFull = false;
  world.waited.add('a');
  clock.advance(STORE_RETRY_MS);
  expect(log).toEqual(['store a', 'enter a', 'store b', 'not stored']);
  world.waited.clear();
  clock.advance(STORE_RETRY_MS);
  await staged.settled();
  expect(log).toContain('enter b');
});

it('another beginning takes the place of what is being stored', async () => {
  const { log, staged, world } = start();
  world.waited.add('b');
  staged.begin('a');
  staged.begin('b');
  await staged.settled();
  expect(log).toEqual(['store a', 'store b', 'enter b']);
});

it('a stage that was stored before a restart is entered without storing it again', () => {
  const { log, staged, world } = start();
  world.waited.add('b');
  staged.resume('b');
  expect([staged.state.kind, log]).toEqual(['waiting', ['enter b']]);
});

it.each(['storing', 'waiting', 'paused'])('stopped while %s, it leaves no timer', async (kind) => {
  const { clock, world, log, staged } = start();
  world.isFull = kind === 'paused';
  world.waited.add('a');
  staged.begin('a');
  if (kind !== 'storing') await staged.settled();
  expect(staged.state.kind).toBe(kind);
  staged.stop();
  await staged.settled();
  const seen = [...log];
  staged.begin('a');
  staged.resume('b');
  staged.advance();
  await new Promise((resolve) => setImmediate(resolve));
  expect([clock.pending, staged.state.kind, log]).toEqual([0, 'stopped', seen]);
});
