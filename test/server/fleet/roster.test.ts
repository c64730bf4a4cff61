import { expect, it } from 'vitest';
import { Roster } from '../../../src/server/fleet/index.js';
import { KEEP_GONE_MS, MAX_GONE } from '../../../src/server/fleet/roster.js';
import { fakeSidecar } from '../../fakes/fake-stream.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { settle } from '../../fakes/settle.js';

// Who was connected and is not, as `status` lists it.

type Stored = Parameters<ConstructorParameters<typeof Roster>[0]['store']['write']>[0];

function setUp(clock = new ManualClock(), store = new MemoryStore<Stored>()) {
  const errors: unknown[] = [];
  const roster = new Roster({ clock, store, onStoreError: (error) => errors.push(error) });
  const gone = () => roster.gone().map(({ node, goneAtMs }) => [node, goneAtMs - clock.now()]);
  return { clock, store, roster, gone, errors };
}

const one = fakeSidecar('web', '10.0.0.1');
const two = fakeSidecar('web', '10.0.0.2');

it('a killed sidecar does not vanish: it is listed with the time that it left', () => {
  const { roster, clock, gone } = setUp();
  roster.joined(one);
  roster.joined(two);
  expect(gone()).toEqual([]);
  roster.left(one);
  clock.advance(5_000);
  roster.left(two);
  expect(gone()).toEqual([
    ['web~10.0.0.2', 0],
    ['web~10.0.0.1', -5_000],
  ]);
  roster.joined(one);
  expect(gone()).toEqual([['web~10.0.0.2', 0]]);
});

it('of two streams of a sidecar the first that ends is no leaving', () => {
  const { roster, gone } = setUp();
  roster.joined(one);
  roster.joined(one);
  roster.left(one);
  expect(gone()).toEqual([]);
  roster.left(one);
  expect(gone()).toHaveLength(1);
});

it('an instance that has moved, or has another name at its address, is not missing', () => {
  const { roster, gone } = setUp();
  const named = { ...one, node: 'web~a' } as const;
  roster.joined(named);
  roster.left(named);
  roster.joined({ ...named, address: '10.0.0.7' });
  expect(gone()).toEqual([]);
  roster.joined(two);
  roster.left(two);
  roster.joined({ ...two, node: 'web~b' });
  expect(gone()).toEqual([]);
  const other = fakeSidecar('back', '10.0.0.2');
  roster.joined(two);
  roster.left(two);
  roster.joined(other);
  expect(gone()).toEqual([['web~10.0.0.2', 0]]);
});

it('over a restart: who does not come back is gone, who left before stays so', async () => {
  const { roster, clock, store } = setUp();
  for (const sidecar of [one, two]) roster.joined(sidecar);
  roster.left(two);
  await roster.stop();
  clock.advance(60_000);
  const again = setUp(clock, store);
  await again.roster.restore();
  const listed = again.roster.gone();
  expect(listed.map(({ node, missedAtStart }) => [node, missedAtStart])).toEqual([
    ['web~10.0.0.1', true],
    ['web~10.0.0.2', undefined],
  ]);
  expect(listed.map(({ goneAtMs }) => goneAtMs - clock.now())).toEqual([0, -60_000]);
  again.roster.joined(one);
  expect(again.gone()).toEqual([['web~10.0.0.2', -60_000]]);
});

it('a server that stops takes nobody for gone; one that is killed has stored it', async () => {
  const { roster, clock, store } = setUp();
  roster.joined(one);
  clock.advance(1_000);
  await settle();
  expect((await store.read())?.sidecars).toMatchObject([{ node: 'web~10.0.0.1' }]);
  await roster.stop();
  roster.left(one);
  expect(roster.gone()).toEqual([]);
  expect(clock.pending).toBe(0);
});

it('what is remembered of those that are gone is bounded in number and time', () => {
  const { roster, clock, gone } = setUp();
  for (let i = 0; i <= MAX_GONE; i++) {
    const sidecar = fakeSidecar('web', `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
    roster.joined(sidecar);
    roster.left(sidecar);
  }
  expect(gone()).toHaveLength(MAX_GONE);
  clock.advance(KEEP_GONE_MS + 1);
  expect(gone()).toEqual([]);
});

it('what could not be stored is stored when it can be, though nobody comes or goes', async () => {
  const { roster, clock, store, errors } = setUp();
  store.failure = new Error('disk full');
  roster.joined(one);
  clock.advance(1_000);
  await settle();
  expect([errors, store.value]).toEqual([[store.failure], undefined]);
  store.failure = undefined;
  clock.advance(5_000);
  await settle();
  expect(store.value?.sidecars).toMatchObject([{ node: 'web~10.0.0.1' }]);
});

it('a static Envoy is another one than the sidecar of its node, over a restart too', async () => {
  const { clock, roster, store } = setUp();
  const own = fakeSidecar('web', '10.0.0.1', { isStatic: true });
  roster.joined(one);
  roster.joined(own);
  roster.left(own);
  roster.joined(two);
  expect(roster.gone()).toMatchObject([{ node: 'web~10.0.0.1', isStatic: true }]);
  roster.joined(own);
  await roster.stop();
  const again = setUp(clock, store);
  await again.roster.restore();
  again.roster.joined(one);
  expect(again.roster.gone().map(({ node, isStatic }) => [node, isStatic])).toEqual([
    ['web~10.0.0.1', true],
    ['web~10.0.0.2', undefined],
  ]);
});
