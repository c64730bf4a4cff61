// What an operator does to a rollout: paused, resumed, aborted, and applied by hand.
import { expect, it } from 'vitest';
import type { Mesh, ServiceName } from '../../../src/policy/index.js';
import {
  type ProxyState,
  ROLLOUT_DOCUMENT,
  Rollout,
  type RolloutRecord,
  STAGE_DEADLINE_MS,
  toRolloutRecord,
  toStoredRollout,
} from '../../../src/server/mesh/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { settle } from '../../fakes/settle.js';
import { meshOf, portOf } from '../../policy/helpers.js';

const meshIn = (ledger: string, store = 'strict', remark = ''): Mesh =>
  meshOf(`trustDomain: shop.example ${remark}
services:
  web: {}
  ledger: { ports: { 8080: { protocol: http, mtls: ${ledger} } } }
  store: { ports: { 6000: { protocol: tcp, mtls: ${store} } } }`);
const DISABLE = meshIn('disable');
const STRICT = meshIn('strict');

const NODES = ['ledger', 'web', 'store'] as const;

const toProxies = (states: ReadonlyMap<string, ProxyState>) =>
  NODES.map((node) => {
    const service = node as string as ServiceName;
    return { node, service, state: states.get(node) ?? 'pending' };
  });

/** Its sidecars take what is published when they are told, and it is durable. */
function run(before: Mesh | RolloutRecord, { isManual = false } = {}) {
  const clock = new ManualClock();
  const states = new Map<string, ProxyState>(NODES.map((node) => [node, 'synced']));
  const records: RolloutRecord[] = [];
  const settled: Mesh[] = [];
  const disk = { isFull: false };
  const rollout = new Rollout(before, {
    ...{ clock, isManual },
    proxies: () => toProxies(states),
    store: async (record) => {
      if (disk.isFull) throw new Error('full');
      const json: unknown = JSON.parse(JSON.stringify(toStoredRollout(record)));
      records.push(toRolloutRecord(ROLLOUT_DOCUMENT.schema.parse(json)));
    },
  });
  rollout.inForce.onChange(() => {
    for (const node of NODES) states.set(node, 'pending');
  });
  rollout.onSettled((mesh) => settled.push(mesh));
  const take = async (...nodes: readonly string[]): Promise<void> => {
    for (const node of nodes) states.set(node, 'synced');
    rollout.advance();
    await settle();
    clock.advance(500);
    await settle();
  };
  return {
    ...{ clock, rollout, settled, disk },
    restart(options = {}) {
      rollout.stop();
      return run(records.at(-1) ?? before, options);
    },
    async start(mesh: Mesh) {
      rollout.start(mesh);
      await settle();
    },
    take,
    async finish() {
      for (let turn = 0; turn < 8; turn++) await take(...NODES);
    },
    /** How ledger stands, and store. */
    stand: () => ['ledger:8080', 'store:6000'].map((id) => standOf(rollout.inForce.value, id)),
  };
}

function standOf(mesh: Mesh, id: string): string {
  const { between, mode } = portOf(mesh, id);
  return between === undefined ? mode : `both, callers ${between.callers.mode}`;
}

it('paused: no track takes its next step, nor does its deadline turn it back', async () => {
  const { rollout, clock, start, take, stand, finish } = run(DISABLE);
  await start(STRICT);
  await rollout.pause();
  await take('ledger');
  clock.advance(2 * STAGE_DEADLINE_MS);
  await settle();
  expect([stand()[0], rollout.isPaused]).toEqual(['both, callers disable', true]);
  await rollout.resume();
  await settle();
  expect(stand()[0]).toBe('both, callers strict');
  await finish();
});

it('paused: the steps have all their time once it is resumed', async () => {
  const { rollout, clock, start, stand } = run(DISABLE);
  await start(STRICT);
  await rollout.pause();
  clock.advance(2 * STAGE_DEADLINE_MS);
  await rollout.resume();
  clock.advance(STAGE_DEADLINE_MS - 1);
  await settle();
  expect(stand()[0]).toBe('both, callers disable');
  clock.advance(1);
  await settle();
  expect(stand()[0]).toBe('disable');
});

it('paused: an edit is held back, the newest is taken then', async () => {
  const { rollout, start, stand, settled, finish } = run(DISABLE);
  await rollout.pause();
  await start(meshIn('permissive'));
  await start(STRICT);
  expect([stand()[0], rollout.heldEdit]).toEqual([
    'disable',
    { version: STRICT.version, why: 'paused' },
  ]);
  await rollout.resume();
  expect([stand()[0], rollout.heldEdit]).toEqual(['both, callers disable', undefined]);
  await finish();
  expect(settled).toEqual([STRICT]);
});

it('paused: over a restart too', async () => {
  const server = run(DISABLE);
  await server.start(STRICT);
  await server.rollout.pause();
  const again = server.restart();
  await again.start(STRICT);
  await again.take('ledger');
  expect([again.rollout.isPaused, again.stand()[0]]).toEqual([true, 'both, callers disable']);
  await again.start(meshIn('permissive'));
  expect(again.rollout.heldEdit?.why).toBe('paused');
});

it('paused: is not said where it could not be stored', async () => {
  const { rollout, disk, clock } = run(DISABLE);
  disk.isFull = true;
  await expect(rollout.pause()).rejects.toThrow('full');
  expect(rollout.isPaused).toBe(false);
  disk.isFull = false;
  clock.advance(5_000);
  await settle();
  expect(rollout.isPaused, 'it is tried again').toBe(true);
});

it('aborted: what runs goes back step by step, and is not tried again', async () => {
  const { rollout, clock, start, take, stand, finish, settled } = run(DISABLE);
  await start(STRICT);
  await take('ledger');
  expect(stand()[0]).toBe('both, callers strict');
  await rollout.abort(clock.now());
  expect(stand()[0], 'callers go back first').toBe('both, callers disable');
  await finish();
  expect([stand()[0], rollout.phase, settled]).toEqual(['disable', undefined, []]);
  expect(rollout.held).toMatchObject([{ of: 'ledger:8080', why: 'aborted' }]);
  await start(STRICT);
  expect(stand()[0]).toBe('disable');
  await start(meshIn('strict', 'strict', '# again'));
  expect(stand()[0], 'the file has changed').toBe('both, callers disable');
});

it('aborted: while it is paused it goes back all the same, and over a restart', async () => {
  const server = run(DISABLE);
  await server.start(STRICT);
  await server.rollout.pause();
  await server.rollout.abort(server.clock.now());
  const again = server.restart();
  await again.start(STRICT);
  await again.finish();
  expect([again.stand()[0], again.rollout.held[0]?.why]).toEqual(['disable', 'aborted']);
});

it('aborted: an edit that was held back is not taken then', async () => {
  const { rollout, clock, start, stand, restart } = run(DISABLE);
  await rollout.pause();
  await start(STRICT);
  await rollout.abort(clock.now());
  await rollout.resume();
  expect([stand()[0], rollout.heldEdit?.why]).toEqual(['disable', 'aborted']);
  const again = restart();
  await again.start(STRICT);
  expect([again.stand()[0], again.rollout.heldEdit?.why]).toEqual(['disable', 'aborted']);
  await again.start(meshIn('permissive'));
  expect(again.rollout.heldEdit).toBeUndefined();
});

it('aborted: what began after the order was given goes on', async () => {
  const { rollout, clock, start, stand } = run(DISABLE);
  const givenAtMs = clock.now();
  clock.advance(1_000);
  await start(STRICT);
  await rollout.abort(givenAtMs);
  expect(stand()[0]).toBe('both, callers disable');
});

it('aborted: what all but one mute sidecar have had for long stays', async () => {
  const { rollout, clock, start, take, stand } = run(meshIn('strict', 'permissive'));
  await start(STRICT);
  await take('ledger', 'web');
  clock.advance(STAGE_DEADLINE_MS);
  await settle();
  await rollout.abort(clock.now());
  expect(stand()[1]).toBe('strict');
});

it('in manual mode: an edit waits to be applied, over a restart too', async () => {
  const server = run(DISABLE, { isManual: true });
  await server.start(DISABLE);
  await server.start(STRICT);
  expect([server.stand()[0], server.rollout.heldEdit]).toEqual([
    'disable',
    { version: STRICT.version, why: 'manual' },
  ]);
  const again = server.restart({ isManual: true });
  await again.start(STRICT);
  expect([again.stand()[0], again.rollout.heldEdit?.why]).toEqual(['disable', 'manual']);
  await again.rollout.apply();
  expect([again.stand()[0], again.rollout.heldEdit]).toEqual(['both, callers disable', undefined]);
  await again.finish();
  expect(again.settled).toEqual([STRICT]);
});

it('in manual mode: an edit that is taken back before waits for nothing', async () => {
  const { rollout, start } = run(DISABLE, { isManual: true });
  await start(STRICT);
  await start(DISABLE);
  expect(rollout.heldEdit).toBeUndefined();
});
