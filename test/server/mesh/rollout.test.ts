import { describe, expect, it } from 'vitest';
import type { Mesh, ServiceName } from '../../../src/policy/index.js';
import {
  type ProxyState,
  Rollout,
  STAGE_DEADLINE_MS,
  toStoredRollout,
} from '../../../src/server/mesh/index.js';
import { toCallersForm, toServed } from '../../../src/translate/forms.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { meshOf, portOf } from '../../policy/helpers.js';

const meshIn = (mode: string, more = ''): Mesh =>
  meshOf(`trustDomain: shop.example
services: { web: {}, ledger: { ports: { 8080: { protocol: http, mtls: ${mode} } } }${more} }`);
const DISABLE = meshIn('disable');
const STRICT = meshIn('strict');

/** The service of a node of these tests: `ledger-1` is of ledger; every other calls it. */
const serviceOf = (node: string): ServiceName =>
  (node.startsWith('ledger')
    ? 'ledger'
    : node.startsWith('store')
      ? 'store'
      : 'web') as ServiceName;

/** A rollout, and proxies that take what is in force only when told: `take` marks one as synced. */
function start(initial: Mesh, nodes: readonly string[]) {
  const clock = new ManualClock();
  const states = new Map<string, ProxyState>(nodes.map((node) => [node, 'synced']));
  const connections = new Map<string, number>();
  const settled: Mesh[] = [];
  const rollout = new Rollout(initial, {
    clock,
    proxies: () =>
      [...states].map(([node, state]) => {
        const connection = connections.get(node) ?? 0;
        return { node, service: serviceOf(node), state, connection };
      }),
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
    has: (node: string) => states.has(node),
    reconnect(node: string) {
      connections.set(node, (connections.get(node) ?? 0) + 1);
      rollout.advance();
    },
    /** Requests that are on their way when callers have moved. */
    arrive: () => clock.advance(500),
    /** Whether plain text is served, TLS is, and how callers come. */
    stand: () => standOf(rollout.inForce.value),
    waitingFor: () => rollout.phase?.waitingFor,
  };
}

type Fleet = ReturnType<typeof start>;

function standOf(mesh: Mesh): string {
  const port = portOf(mesh, 'ledger:8080');
  const { tls, plain } = toServed(port);
  const served = [...(tls === undefined ? [] : ['TLS']), ...(plain === undefined ? [] : ['plain'])];
  const callers = toCallersForm(port).mode === 'disable' ? 'plain' : 'TLS';
  return `${served.join('+')}, callers by ${callers}`;
}

const WIDE = 'TLS+plain, callers by plain';
const MOVED = 'TLS+plain, callers by TLS';
const AFTER = 'TLS, callers by TLS';

it('a phase begins when the one before is in force on every proxy that it needs', () => {
  const fleet = start(DISABLE, ['ledger-1', 'ledger-2', 'web', 'store']);
  fleet.rollout.start(STRICT);
  fleet.rollout.advance();
  expect(fleet.stand()).toBe(WIDE);
  expect(fleet.rollout.phase).toEqual({
    name: 'both old and new settings on ledger:8080',
    waitingFor: ['ledger-1', 'ledger-2'],
  });
  fleet.set('ledger-1', 'synced');
  expect([fleet.stand(), fleet.waitingFor()]).toEqual([WIDE, ['ledger-2']]);
  fleet.set('ledger-2', 'synced');
  expect([fleet.stand(), fleet.waitingFor()], 'ledger may call itself').toEqual([
    MOVED,
    ['ledger-1', 'ledger-2', 'web'],
  ]);
  for (const node of ['ledger-1', 'ledger-2', 'web']) fleet.set(node, 'synced');
  expect([fleet.stand(), fleet.waitingFor()], 'what is on its way').toEqual([MOVED, []]);
  fleet.arrive();
  expect([fleet.stand(), fleet.rollout.phase?.name]).toEqual([
    AFTER,
    'new settings of ledger:8080',
  ]);
  expect(fleet.settled).toEqual([]);
  for (const node of ['ledger-1', 'ledger-2', 'web', 'store']) fleet.set(node, 'synced');
  expect(fleet.rollout.phase).toBeUndefined();
  expect(fleet.settled).toEqual([STRICT]);
  expect(fleet.clock.pending, 'no deadline is left').toBe(0);
});

it('without proxies everything is in force at once', () => {
  const fleet = start(DISABLE, []);
  fleet.rollout.start(STRICT);
  fleet.rollout.advance();
  expect([fleet.stand(), fleet.settled]).toEqual([AFTER, [STRICT]]);
});

it('a proxy that goes is not waited for', () => {
  const fleet = start(DISABLE, ['ledger-1', 'ledger-2']);
  fleet.rollout.start(STRICT);
  fleet.set('ledger-1', 'synced');
  expect(fleet.stand()).toBe(WIDE);
  fleet.leave('ledger-2');
  expect(fleet.stand()).toBe(MOVED);
  fleet.leave('ledger-1');
  expect(fleet.stand()).toBe(AFTER);
});

it('a mute caller stops counting at the deadline', () => {
  const fleet = start(DISABLE, ['ledger', 'web', 'web-mute']);
  fleet.rollout.start(STRICT);
  fleet.set('ledger', 'synced');
  for (const node of ['ledger', 'web']) fleet.set(node, 'synced');
  fleet.clock.advance(STAGE_DEADLINE_MS - 1);
  expect([fleet.stand(), fleet.waitingFor()]).toEqual([MOVED, ['web-mute']]);
  fleet.clock.advance(1);
  fleet.arrive();
  expect(fleet.stand()).toBe(AFTER);
  for (const node of ['ledger', 'web']) fleet.set(node, 'synced');
  fleet.clock.advance(STAGE_DEADLINE_MS);
  expect([fleet.rollout.phase, fleet.settled]).toEqual([undefined, [STRICT]]);
});

it.each(['nacked', 'pending'] as const)(
  'a %s proxy of an unrelated service holds back nothing of another',
  (state) => {
    const fleet = start(DISABLE, ['ledger', 'web', 'store']);
    fleet.rollout.start(STRICT);
    fleet.set('store', state);
    fleet.set('ledger', 'synced');
    fleet.set('store', state);
    for (const node of ['ledger', 'web']) fleet.set(node, 'synced');
    fleet.arrive();
    expect(fleet.stand()).toBe(AFTER);
    fleet.set('store', state);
    for (const node of ['ledger', 'web']) fleet.set(node, 'synced');
    expect([fleet.waitingFor(), fleet.settled], 'not yet on all').toEqual([['store'], []]);
  },
);

describe.each(['nacked', 'pending'] as const)(
  'a serving sidecar that is %s at the deadline',
  (state) => {
    const BEFORE = 'plain, callers by plain';
    const turnedBack = () => {
      const fleet = start(DISABLE, ['ledger-1', 'ledger-2', 'web']);
      fleet.rollout.start(STRICT);
      fleet.set('ledger-1', 'synced');
      fleet.set('ledger-2', state);
      fleet.clock.advance(STAGE_DEADLINE_MS - 1);
      expect([fleet.stand(), fleet.waitingFor()]).toEqual([WIDE, ['ledger-2']]);
      fleet.clock.advance(1);
      expect(fleet.stand()).toBe(BEFORE);
      return fleet;
    };

    it('makes the track go back: it never rests in between', () => {
      const fleet = turnedBack();
      for (const node of ['ledger-1', 'web']) fleet.set(node, 'synced');
      fleet.clock.advance(10 * STAGE_DEADLINE_MS);
      expect([fleet.stand(), fleet.settled]).toEqual([BEFORE, []]);
    });

    it.each([
      ['is gone', (fleet: Fleet) => fleet.leave('ledger-2')],
      ['is another one', (fleet: Fleet) => fleet.reconnect('ledger-2')],
    ])('and go on again once it %s', (_, mend) => {
      const fleet = turnedBack();
      for (const node of ['ledger-1', 'web']) fleet.set(node, 'synced');
      mend(fleet);
      expect(fleet.stand()).toBe(WIDE);
      for (const node of ['ledger-1', 'ledger-2']) if (fleet.has(node)) fleet.set(node, 'synced');
      expect(fleet.stand()).toBe(MOVED);
    });

    it('is asked again by another edit of the port, and by none of another', () => {
      const fleet = turnedBack();
      for (const node of ['ledger-1', 'ledger-2', 'web']) fleet.set(node, 'nacked');
      fleet.rollout.start(meshIn('strict', ', other: {}'));
      fleet.rollout.advance();
      expect(fleet.stand()).toBe(BEFORE);
      fleet.rollout.start(meshIn('permissive'));
      fleet.rollout.advance();
      expect(fleet.stand()).toBe(WIDE);
    });
  },
);

it('a sidecar that was only slow is believed, a few times', () => {
  const fleet = start(DISABLE, ['ledger']);
  fleet.rollout.start(STRICT);
  const stands: string[] = [];
  for (let turn = 0; turn < 6; turn++) {
    fleet.clock.advance(STAGE_DEADLINE_MS);
    fleet.set('ledger', 'synced');
    stands.push(fleet.stand());
  }
  const BEFORE = 'plain, callers by plain';
  expect(stands).toEqual([WIDE, WIDE, WIDE, BEFORE, BEFORE, BEFORE]);
});

it('a deadline that passes under one port leaves another alone', () => {
  const two = (mode: string): Mesh =>
    meshOf(`trustDomain: shop.example
services:
  web: {}
  ledger: { ports: { 8080: { protocol: http, mtls: ${mode} } } }
  store: { ports: { 6000: { protocol: tcp, mtls: ${mode} } } }`);
  const fleet = start(two('disable'), ['ledger', 'store']);
  fleet.rollout.start(two('strict'));
  fleet.clock.advance(STAGE_DEADLINE_MS / 2);
  fleet.set('store', 'synced');
  const stepsNow = () => fleet.rollout.steps.map(({ of, step }) => `${of} ${step}`);
  expect(stepsNow()).toEqual(['ledger:8080 widen', 'store:6000 move']);
  fleet.clock.advance(STAGE_DEADLINE_MS / 2);
  expect(stepsNow()).toEqual(['ledger:8080 narrow', 'store:6000 move']);
  expect(fleet.stand()).toBe('plain, callers by plain');
});

it('a caller that rejects it holds back what others want until the deadline', () => {
  const fleet = start(DISABLE, ['ledger', 'web-1', 'web-2']);
  fleet.rollout.start(STRICT);
  fleet.set('ledger', 'synced');
  for (const node of ['ledger', 'web-1']) fleet.set(node, 'synced');
  fleet.set('web-2', 'nacked');
  fleet.clock.advance(STAGE_DEADLINE_MS - 1);
  expect([fleet.stand(), fleet.waitingFor()]).toEqual([MOVED, ['web-2']]);
  fleet.clock.advance(1);
  fleet.arrive();
  expect(fleet.stand()).toBe(AFTER);
});

it('callers that are held for the first of their kind are not cut off: the port goes back', () => {
  const fleet = start(DISABLE, ['ledger', 'web-1', 'web-2']);
  fleet.rollout.start(STRICT);
  fleet.set('ledger', 'synced');
  fleet.set('ledger', 'synced');
  fleet.set('web-1', 'nacked');
  fleet.set('web-2', 'held');
  expect(fleet.stand()).toBe(MOVED);
  fleet.clock.advance(STAGE_DEADLINE_MS);
  expect(fleet.stand()).toBe('TLS+plain, callers by plain');
  expect(fleet.rollout.steps.map(({ step }) => step)).not.toEqual([]);
});

it('a second edit during the first phase refuses no caller that is still in plain text', () => {
  const fleet = start(DISABLE, ['ledger', 'caller']);
  fleet.rollout.start(STRICT);
  expect(fleet.stand()).toBe(WIDE);
  fleet.rollout.start(meshIn('strict', ', other: {}'));
  fleet.rollout.advance();
  expect(fleet.stand()).toBe(WIDE);
  fleet.set('ledger', 'synced');
  expect(fleet.stand()).toBe(MOVED);
  for (const node of ['ledger', 'caller']) fleet.set(node, 'synced');
  fleet.arrive();
  expect(fleet.stand()).toBe(AFTER);
});

it('DISABLE to PERMISSIVE to STRICT in quick edits waits all the same', () => {
  const fleet = start(DISABLE, ['ledger', 'caller']);
  fleet.rollout.start(meshIn('permissive'));
  fleet.rollout.start(STRICT);
  fleet.rollout.advance();
  expect(fleet.stand()).toBe(WIDE);
  fleet.set('ledger', 'synced');
  expect(fleet.stand()).toBe(MOVED);
  for (const node of ['ledger', 'caller']) fleet.set(node, 'synced');
  fleet.arrive();
  expect(fleet.stand()).toBe(AFTER);
});

it('a caller that had not moved is still waited for when an edit overtakes its moving', () => {
  const fleet = start(DISABLE, ['ledger', 'caller']);
  fleet.rollout.start(STRICT);
  fleet.set('ledger', 'synced');
  expect(fleet.stand()).toBe(MOVED);
  fleet.rollout.start(meshIn('strict', ', other: {}'));
  fleet.rollout.advance();
  fleet.set('ledger', 'synced');
  expect(fleet.stand()).toBe(MOVED);
  fleet.rollout.start(meshIn('strict', ', third: {}'));
  fleet.rollout.advance();
  expect(fleet.stand()).toBe(MOVED);
  fleet.set('ledger', 'synced');
  for (const node of ['ledger', 'caller']) fleet.set(node, 'synced');
  fleet.arrive();
  expect(fleet.stand()).toBe(AFTER);
});

it('what was settled before is no longer waited for', () => {
  const fleet = start(DISABLE, ['caller']);
  fleet.rollout.start(meshIn('permissive'));
  fleet.set('caller', 'synced');
  fleet.set('caller', 'synced');
  fleet.rollout.start(STRICT);
  expect(fleet.stand()).toBe(AFTER);
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
  const fleet = start(DISABLE, ['ledger-mute']);
  for (let edit = 1; edit <= 40; edit++) {
    fleet.rollout.start(meshIn('disable', `, s${edit}: {}`));
    fleet.rollout.advance();
  }
  fleet.rollout.start(STRICT);
  fleet.rollout.advance();
  expect(fleet.rollout.phase?.name).toBe('both old and new settings on ledger:8080');
});
