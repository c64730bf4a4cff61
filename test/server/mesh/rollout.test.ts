import { expect, it } from 'vitest';
import type { Mesh } from '../../../src/policy/index.js';
import {
  type ProxyState,
  Rollout,
  STAGE_DEADLINE_MS,
  toStoredRollout,
} from '../../../src/server/mesh/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { meshOf, portOf } from '../../policy/helpers.js';

const meshIn = (mode: string, more = ''): Mesh =>
  meshOf(`trustDomain: shop.example
services: { ledger: { ports: { 8080: { protocol: http, mtls: ${mode} } } }${more} }`);
const DISABLE = meshIn('disable');
const STRICT = meshIn('strict');

/** A rollout, and proxies that take what is in force only when told: `take` marks one as synced. */
function start(initial: Mesh, nodes: readonly string[]) {
  const clock = new ManualClock();
  const states = new Map<string, ProxyState>(nodes.map((node) => [node, 'synced']));
  const settled: Mesh[] = [];
  const rollout = new Rollout(initial, {
    clock,
    proxies: () => [...states].map(([node, state]) => ({ node, state })),
  });
  rollout.onSettled((mesh) => settled.push(mesh));
  rollout.inForce.onChange(() => {
    for (const node of states.keys()) states.set(node, 'pending');
  });
  return {
    clock,
    rollout,
    settled,
    set(node: string, state: ProxyState) {
      states.set(node, state);
      rollout.advance();
    },
    leave(node: string) {
      states.delete(node);
      rollout.advance();
    },
    mode: () => portOf(rollout.inForce.value, 'ledger:8080').mode,
  };
}

it('a phase begins when the one before is in force on every proxy', () => {
  const fleet = start(DISABLE, ['a', 'b']);
  fleet.rollout.start(STRICT);
  fleet.rollout.advance();
  expect(fleet.mode()).toBe('permissive');
  expect(fleet.rollout.phase).toEqual({
    name: 'both old and new settings on ledger:8080',
    waitingFor: ['a', 'b'],
  });
  fleet.set('a', 'synced');
  expect([fleet.mode(), fleet.rollout.phase?.waitingFor]).toEqual(['permissive', ['b']]);
  fleet.set('b', 'synced');
  expect([fleet.mode(), fleet.rollout.phase?.name]).toEqual([
    'strict',
    'new settings of ledger:8080',
  ]);
  expect(fleet.settled).toEqual([]);
  fleet.set('a', 'synced');
  fleet.set('b', 'synced');
  expect(fleet.rollout.phase).toBeUndefined();
  expect(fleet.settled).toEqual([STRICT]);
  expect(fleet.clock.pending, 'no deadline is left').toBe(0);
});

it('without proxies everything is in force at once', () => {
  const fleet = start(DISABLE, []);
  fleet.rollout.start(STRICT);
  fleet.rollout.advance();
  expect([fleet.mode(), fleet.settled]).toEqual(['strict', [STRICT]]);
});

it('a proxy that goes is not waited for', () => {
  const fleet = start(DISABLE, ['a', 'b']);
  fleet.rollout.start(STRICT);
  fleet.set('a', 'synced');
  fleet.leave('b');
  expect(fleet.mode()).toBe('strict');
});

it('a mute proxy stops counting at the deadline, of each phase anew', () => {
  const fleet = start(DISABLE, ['a', 'mute']);
  fleet.rollout.start(STRICT);
  fleet.set('a', 'synced');
  fleet.clock.advance(STAGE_DEADLINE_MS - 1);
  expect(fleet.mode()).toBe('permissive');
  fleet.clock.advance(1);
  expect([fleet.mode(), fleet.rollout.phase?.waitingFor]).toEqual(['strict', ['a', 'mute']]);
});

it('a proxy that rejects a phase stops the rollout there, past the deadline too', () => {
  const fleet = start(DISABLE, ['a', 'b']);
  fleet.rollout.start(STRICT);
  fleet.set('a', 'synced');
  fleet.set('b', 'nacked');
  fleet.clock.advance(10 * STAGE_DEADLINE_MS);
  expect([fleet.mode(), fleet.rollout.phase?.waitingFor]).toEqual(['permissive', ['b']]);
  fleet.set('b', 'synced');
  expect(fleet.mode()).toBe('strict');
});

it('a second edit during the first phase refuses no caller that is still in plain text', () => {
  const fleet = start(DISABLE, ['caller']);
  fleet.rollout.start(STRICT);
  expect(fleet.mode()).toBe('permissive');
  fleet.rollout.start(meshIn('strict', ', other: {}'));
  fleet.rollout.advance();
  expect(fleet.mode()).toBe('permissive');
  fleet.set('caller', 'synced');
  expect(fleet.mode()).toBe('strict');
});

it('DISABLE to PERMISSIVE to STRICT in quick edits waits all the same', () => {
  const fleet = start(DISABLE, ['caller']);
  fleet.rollout.start(meshIn('permissive'));
  fleet.rollout.start(STRICT);
  fleet.rollout.advance();
  expect(fleet.mode()).toBe('permissive');
  fleet.set('caller', 'synced');
  expect(fleet.mode()).toBe('strict');
});

it('what was settled before is no longer waited for', () => {
  const fleet = start(DISABLE, ['caller']);
  fleet.rollout.start(meshIn('permissive'));
  fleet.set('caller', 'synced');
  fleet.rollout.start(STRICT);
  expect(fleet.mode()).toBe('strict');
});

it('stopping leaves no timer', () => {
  const fleet = start(DISABLE, ['a']);
  fleet.rollout.start(STRICT);
  fleet.rollout.stop();
  expect([fleet.clock.pending, fleet.rollout.phase]).toEqual([0, undefined]);
});

const SERVICES = Array.from({ length: 50 }, (_, i) => `s${i}: { ports: { 8080: http } }`);
/** An edit of one service among fifty, another one each time. */
const edited = (edit: number): Mesh =>
  meshOf(`trustDomain: shop.example
services: { ${SERVICES.join(', ')}, ledger: { ports: { 8080: { protocol: http, allow: [
  { from: [s0], paths: [/${edit}] } ] } } } }`);

it.each(['pending', 'nacked'] as const)(
  'sixty edits with one %s proxy cost no more than thirty: the record does not grow with them',
  (state) => {
    const fleet = start(edited(0), ['a', 'mute']);
    const bytesAfter = (from: number, edits: number): number => {
      for (let edit = from + 1; edit <= from + edits; edit++) {
        fleet.rollout.start(edited(edit));
        fleet.rollout.advance();
        fleet.set('mute', state);
        fleet.set('a', 'synced');
      }
      return JSON.stringify(toStoredRollout(fleet.rollout.record)).length;
    };
    const [one, thirty, sixty] = [bytesAfter(0, 1), bytesAfter(1, 29), bytesAfter(30, 30)];
    expect(sixty).toBeLessThan(thirty * 1.02);
    expect(sixty).toBeLessThan(one * 1.5);
  },
);

it('what a mute proxy has is known however many edits came since', () => {
  const fleet = start(DISABLE, ['mute']);
  for (let edit = 1; edit <= 40; edit++) {
    fleet.rollout.start(meshIn('disable', `, s${edit}: {}`));
    fleet.rollout.advance();
  }
  fleet.rollout.start(STRICT);
  fleet.rollout.advance();
  expect(fleet.rollout.phase?.name).toBe('both old and new settings on ledger:8080');
});
