import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Mesh } from '../../src/policy/index.js';
import { meshOf } from '../policy/helpers.js';
import { ledgerWith, PAIRS, portDoc, SEED } from './arbitraries.js';
import { faultsOf, type Moment, momentsOf } from './change.js';
import { tryMesh } from './meshes.js';
import { momentsToTheEnd, type NodeName, Walk } from './walk.js';
import { flowsTo } from './world.js';

// Tracks of several ports at once, each at a step of its own: whichever sidecar answers next,
// rejects what it is sent, or lets a deadline pass.

const REQUESTS = ['GET', 'POST'].map((method) => ({ method, path: '/a' }));
const FLOWS = [8080, 8081].flatMap((port) => flowsTo(port, ['web', 'batch'], REQUESTS));

type Event =
  | { readonly kind: 'take' | 'reject' | 'mend'; readonly node: NodeName }
  | { readonly kind: 'arrive' }
  /** Of the first or the second port's track. */
  | { readonly kind: 'expire'; readonly port: 8080 | 8081 };

const node = fc.constantFrom<NodeName>('web', 'batch', 'ledger', 'ledger-2');
const take: fc.Arbitrary<Event> = fc.record({ kind: fc.constant('take' as const), node });
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: take },
  { weight: 2, arbitrary: fc.constant<Event>({ kind: 'arrive' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('reject', 'mend'), node }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('expire' as const),
      port: fc.constantFrom(8080 as const, 8081 as const),
    }),
  },
);

/** What happens, and every moment after it. */
function* happen(walk: Walk, events: readonly Event[]): Generator<Moment> {
  yield* momentsOf(walk);
  for (const one of events) {
    if (one.kind === 'take') walk.take(one.node);
    if (one.kind === 'arrive') walk.arrive();
    if (one.kind === 'reject' || one.kind === 'mend') walk.reject(one.node, one.kind === 'reject');
    if (one.kind === 'expire') expireServing(walk, `ledger:${one.port}`);
    yield* momentsOf(walk);
  }
}

/** Callers that are mute for too long do lose their way: that is another property's matter. */
function expireServing(walk: Walk, id: string): void {
  if (walk.state.tracks.get(id)?.steps[0]?.name === 'widen') walk.expire(id);
}

const twoPorts = ledgerWith(fc.record({ 8080: portDoc, 8081: portDoc }));
const walks = fc.tuple(twoPorts, twoPorts, fc.array(event, { minLength: 4, maxLength: 14 }));

it('two ports under one edit, whatever happens in whatever order', () => {
  let several = 0;
  fc.assert(
    fc.property(walks, ([one, two, events]) => {
      const [before, after] = [tryMesh(one), tryMesh(two)];
      assert(before !== undefined && after !== undefined);
      const walk = new Walk(before);
      walk.edit(after);
      const moments = happen(walk, events);
      expect(faultsOf([before, after], { flows: FLOWS, moments }).slice(0, 3)).toEqual([]);
      if (walk.stands.size > 0) several++;
    }),
    { seed: SEED, numRuns: Math.ceil(PAIRS / 2) },
  );
  expect(several, 'ports did stand at different steps').toBeGreaterThan(PAIRS / 30);
}, 600_000);

it('a caller that loses its way at a deadline lets nobody in', () => {
  const expireAny: fc.Arbitrary<Event> = fc.record({
    kind: fc.constant('expire' as const),
    port: fc.constantFrom(8080 as const, 8081 as const),
  });
  const mute = fc.array(fc.oneof(take, expireAny, fc.constant<Event>({ kind: 'arrive' })), {
    minLength: 4,
    maxLength: 12,
  });
  fc.assert(
    fc.property(twoPorts, twoPorts, mute, (one, two, events) => {
      const [before, after] = [tryMesh(one), tryMesh(two)];
      assert(before !== undefined && after !== undefined);
      const walk = new Walk(before);
      walk.edit(after);
      const moments = (function* (): Generator<Moment> {
        for (const each of events) {
          const id = each.kind === 'expire' ? `ledger:${each.port}` : undefined;
          if (id !== undefined && walk.state.tracks.has(id)) walk.expire(id);
          else yield* happen(walk, [each]);
          yield* momentsOf(walk);
        }
      })();
      const faults = faultsOf([before, after], { flows: FLOWS, moments });
      expect(faults.filter((fault) => fault.startsWith('served')).slice(0, 3)).toEqual([]);
    }),
    { seed: SEED, numRuns: Math.ceil(PAIRS / 4) },
  );
}, 600_000);

const meshWith = (first: string, second: string): Mesh =>
  meshOf(`trustDomain: shop.example
services:
  web: {}
  batch: {}
  ledger:
    ports:
      8080: { protocol: http, ${first}, allow: [ { from: [anyone] } ] }
      8081: { protocol: tcp, ${second}, allow: [ { from: [anyone] } ] }`);

it('a serving sidecar that rejects makes each track go back, and all works on the way', () => {
  const before = meshWith('mtls: disable', 'mtls: strict');
  const after = meshWith('mtls: strict', 'mtls: disable');
  const walk = new Walk(before);
  walk.edit(after);
  walk.take('ledger');
  walk.reject('ledger-2');
  const moments = (function* (): Generator<Moment> {
    yield* momentsOf(walk);
    for (const id of ['ledger:8080', 'ledger:8081']) {
      walk.expire(id);
      yield* momentsOf(walk);
      expect(walk.trackOf(id).held).toMatchObject({ why: 'rejected', node: 'ledger-2' });
    }
    walk.reject('ledger-2', false);
    yield* momentsToTheEnd(walk);
  })();
  expect(faultsOf([before, after], { flows: FLOWS, moments })).toEqual([]);
  const stands = [...walk.state.published.services.values()].flatMap(({ ports }) =>
    ports.map(({ mode, between }) => [mode, between]),
  );
  expect(stands).toEqual([
    ['disable', undefined],
    ['strict', undefined],
  ]);
});
