import { expect, it } from 'vitest';
import { GONE_GRACE_MS, START_GRACE_MS } from '../../../src/server/fleet/registry.js';
import type { StaticEnvoyEntry } from '../../../src/server/fleet/static-envoys.js';
import { FakeStream, fakeSidecar } from '../../fakes/fake-stream.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { createStaticEnvoys } from '../../fakes/static-envoys.js';

// What each static Envoy takes, and took a moment ago: a stream for each secret.

const NODE = 'gateway~10.0.0.9';
const STORED: readonly StaticEnvoyEntry[] = [
  {
    node: NODE,
    service: fakeSidecar('gateway', '10.0.0.9').service,
    address: '10.0.0.9',
    secrets: ['ROOTCA', 'default'],
  },
];

function setUp({ stored = undefined as readonly StaticEnvoyEntry[] | undefined, most = 2 } = {}) {
  const clock = new ManualClock();
  const store = new MemoryStore<readonly StaticEnvoyEntry[]>(stored);
  const envoys = createStaticEnvoys(clock, most, store);
  let departures = 0;
  envoys.departed.onChange(() => {
    departures++;
  });
  return {
    ...{ clock, store, envoys },
    departures: () => departures,
    open(names: readonly string[], address = '10.0.0.9') {
      const { stream } = new FakeStream(fakeSidecar('gateway', address, { isStatic: true }));
      envoys.open(stream);
      envoys.note(stream, new Set(names));
      return stream;
    },
  };
}

it('a secret whose stream has ended is missed until one asks for it again', () => {
  const { open, envoys, clock, departures } = setUp();
  open(['default']);
  const roots = open(['ROOTCA']);
  expect(envoys.missing()).toEqual([]);
  envoys.close(roots);
  expect(envoys.missing()).toEqual([NODE]);
  open(['ROOTCA']);
  expect(envoys.missing()).toEqual([]);
  clock.advance(GONE_GRACE_MS);
  expect([envoys.missing(), departures()]).toEqual([[], 0]);
});

it('one that does not come back is missed for a grace, and then forgotten', () => {
  const { open, envoys, clock, departures } = setUp();
  const streams = [open(['default']), open(['ROOTCA'])];
  for (const stream of streams) envoys.close(stream);
  clock.advance(GONE_GRACE_MS - 1);
  expect([envoys.missing(), envoys.has(STORED[0] as never)]).toEqual([[NODE], false]);
  expect(envoys.has({ node: NODE, address: '10.0.0.9', isStatic: true })).toBe(true);
  clock.advance(1);
  expect([envoys.missing(), departures()]).toEqual([[], 2]);
  expect(envoys.has({ node: NODE, address: '10.0.0.9', isStatic: true })).toBe(false);
  expect(clock.pending).toBe(0);
});

it('what an Envoy gives up by itself is not missed', () => {
  const { open, envoys } = setUp();
  const stream = open(['default', 'ROOTCA']);
  envoys.note(stream, new Set(['default']));
  expect(envoys.missing()).toEqual([]);
});

it('a secret that two streams ask for is missed once neither does', () => {
  const { open, envoys } = setUp();
  const [one, other] = [open(['default']), open(['default'])];
  envoys.close(one);
  expect(envoys.missing()).toEqual([]);
  envoys.close(other);
  expect(envoys.missing()).toEqual([NODE]);
});

it('after a start of the server each secret has the grace to be asked for again', async () => {
  const { open, envoys, clock } = setUp({ stored: STORED });
  await envoys.restore();
  expect(envoys.missing()).toEqual([NODE]);
  open(['default']);
  clock.advance(START_GRACE_MS - 1);
  expect(envoys.missing(), 'its other stream is not back').toEqual([NODE]);
  open(['ROOTCA']);
  expect(envoys.missing()).toEqual([]);
});

it('what is taken is stored, once for each change', () => {
  const { open, envoys, store, clock } = setUp();
  const stream = open(['default']);
  open(['ROOTCA']);
  expect([store.writes, store.value]).toEqual([2, STORED]);
  envoys.note(stream, new Set(['default']));
  envoys.close(stream);
  expect(store.writes).toBe(2);
  clock.advance(GONE_GRACE_MS);
  expect(store.value).toEqual([{ ...STORED[0], secrets: ['ROOTCA'] }]);
});

it('one that opens a stream and never asks is forgotten too', () => {
  const { open, envoys, clock } = setUp();
  envoys.close(open([]));
  clock.advance(GONE_GRACE_MS);
  expect([envoys.missing(), clock.pending]).toEqual([[], 0]);
  expect(envoys.has({ node: NODE, address: '10.0.0.9', isStatic: true })).toBe(false);
});

it('a service has so many and no more, whatever the number of their streams', () => {
  const { open } = setUp({ most: 2 });
  for (const address of ['10.0.0.1', '10.0.0.1', '10.0.0.1', '10.0.0.2']) open([], address);
  expect(() => open([], '10.0.0.3')).toThrow(
    'expected at most 2 sidecars of service "gateway" at once',
  );
  open([], '10.0.0.2');
});

it('nobody waits for one that is shut out', () => {
  const { open, envoys, store, clock } = setUp();
  envoys.close(open(['default']));
  envoys.evict(({ node }) => node === NODE);
  expect([envoys.missing(), store.value, clock.pending]).toEqual([[], [], 0]);
});
