// The control loop without a server, a port or a disk.
import { expect, it, onTestFinished } from 'vitest';
import { Closers, Watch } from '../../src/base/index.js';
import type { Mesh } from '../../src/policy/index.js';
import { addRevocation, loadRevocations } from '../../src/revocation/index.js';
import { createOutboundIndexes } from '../../src/server/addresses/index.js';
import { toCaProxies } from '../../src/server/ca-proxies.js';
import { authorityChanged, createControl } from '../../src/server/control.js';
import { type DrainRecord, SidecarRegistry, StaticEnvoys } from '../../src/server/fleet/index.js';
import { GONE_GRACE_MS } from '../../src/server/fleet/registry.js';
import {
  type RolloutRecord,
  STAGE_DEADLINE_MS,
  STORE_RETRY_MS,
} from '../../src/server/mesh/index.js';
import { GATHER_MS } from '../../src/server/publishing.js';
import { type RevocationState, ShutOut } from '../../src/server/revocation/index.js';
import type { Sample } from '../../src/server/telemetry/sample.js';
import { TYPE_URLS } from '../../src/xds/index.js';
import { FakeLeaves } from '../fakes/fake-leaves.js';
import { FakeStream, fakeSidecar } from '../fakes/fake-stream.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { MemoryStore } from '../fakes/memory-store.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { SecretStream } from '../fakes/secret-stream.js';
import { settle } from '../fakes/settle.js';
import { meshOf, portOf } from '../policy/helpers.js';
import { MemoryDataDir } from '../x509/tools.js';

const meshIn = (mode: string): Mesh =>
  meshOf(`trustDomain: shop.example
services:
  web: {}
  ledger:
    allow: [ { from: [web, anyone] } ]
    ports: { 8080: { protocol: http, mtls: ${mode} } }`);
const NOTHING_REVOKED: RevocationState = {
  list: new Map(),
  marks: { seen: [], inbound: {}, outbound: {} },
  crls: undefined,
  certificates: [],
};

async function createParts(before: Mesh) {
  const clock = new ManualClock();
  const logger = recordingLogger();
  const leaves = new FakeLeaves();
  const registry = new SidecarRegistry({
    clock,
    store: new MemoryStore(),
    onStoreError: () => undefined,
  });
  const staticEnvoys = new StaticEnvoys({
    ...{ clock, store: new MemoryStore() },
    onStoreError: () => undefined,
  });
  const indexes = await createOutboundIndexes(new MemoryStore());
  await indexes.ensure(before.services.values());
  const shutOut = new ShutOut();
  const revocations = new Watch<RevocationState>(NOTHING_REVOKED);
  const authority = { trustAnchorsPem: 'anchors' };
  return {
    ...{ before, clock, logger, leaves, registry, staticEnvoys, indexes },
    ...{ shutOut, revocations, authority },
  };
}

async function setUp(before = meshIn('disable')) {
  const parts = await createParts(before);
  const { clock, logger } = parts;
  const records = new MemoryStore<RolloutRecord>();
  const remembered = new MemoryStore<Mesh>();
  const closers = new Closers();
  onTestFinished(() => closers.close());
  const drainStore = new MemoryStore<readonly DrainRecord[]>();
  const storeRollout = (record: RolloutRecord) => records.write(record);
  const remember = (mesh: Mesh) => remembered.write(mesh);
  const control = createControl(
    { ...parts, storeRollout, remember, drainStore, drained: [] },
    closers,
  );
  const { fleet, rollout } = control;
  let looks = 0;
  control.pacing.changes.add(() => {
    looks++;
  });
  return {
    ...{ ...parts, control, closers, records, remembered },
    looks: () => looks,
    mode: () => {
      const { between, mode } = portOf(rollout.inForce.value, 'ledger:8080');
      return between === undefined ? mode : `both, callers ${between.callers.mode}`;
    },
    messages: () => logger.lines.map(({ message }) => message),
    async tick(ms = GATHER_MS) {
      await settle();
      clock.advance(ms);
      await settle();
    },
    async start(mesh: Mesh) {
      rollout.start(mesh);
      rollout.advance();
      await settle();
    },
    open(service: string, address: string) {
      const peer = new FakeStream(fakeSidecar(service, address));
      fleet.onConnect(peer.stream);
      return peer;
    },
    take(...peers: FakeStream[]) {
      for (const peer of peers) {
        peer.take();
        const typeUrl = TYPE_URLS.listener;
        fleet.onUpdate(peer.stream, { kind: 'acked', typeUrl, version: 'v', taken: [] });
      }
    },
    endpointsOf: (peer: FakeStream) => peer.newest?.get(TYPE_URLS.endpoint)?.resources.size ?? 0,
  };
}

it('many sidecars that join at once are one push to the others, and one look', async () => {
  const { open, take, tick, looks, control } = await setUp();
  const web = open('web', '10.0.0.1');
  await tick();
  take(web);
  await tick();
  const pushes = web.sent.length;
  const before = looks();
  const ledgers = Array.from({ length: 20 }, (_, i) => open('ledger', `10.0.1.${i + 1}`));
  await settle();
  take(...ledgers);
  expect([web.sent.length, control.publishing.isStale]).toEqual([pushes, true]);
  await tick();
  expect([web.sent.length, looks(), control.publishing.isStale]).toEqual([
    pushes + 1,
    before + 1,
    false,
  ]);
});

it('the longer publishing takes, the longer endpoints are gathered', async () => {
  const { open, take, tick, clock, control } = await setUp();
  const web = open('web', '10.0.0.1');
  await tick();
  // Publishing takes 100 ms by this clock.
  const { setSnapshot } = web.stream;
  Object.assign(web.stream, {
    setSnapshot(...args: Parameters<typeof setSnapshot>) {
      clock.jump(100);
      setSnapshot(...args);
    },
  });
  const [one, two] = [open('ledger', '10.0.1.1'), open('ledger', '10.0.1.2')];
  await settle();
  take(one);
  await tick();
  const pushes = web.sent.length;
  take(two);
  await tick(299);
  expect([web.sent.length, control.publishing.isStale]).toEqual([pushes, true]);
  await tick(1);
  expect([web.sent.length, control.publishing.isStale]).toEqual([pushes + 1, false]);
});

it('a phase advances on answers, is stored before it is entered, and settles', async () => {
  const strict = meshIn('strict');
  const { open, take, tick, start, mode, records, remembered, control, messages } = await setUp();
  const ledger = open('ledger', '10.0.1.1');
  await tick();
  take(ledger);
  await tick();
  await start(strict);
  const track = records.value?.tracks.get('ledger:8080');
  expect([mode(), track?.steps.length]).toEqual(['both, callers disable', 3]);
  take(ledger);
  expect(mode(), 'answers are gathered').toBe('both, callers disable');
  await tick();
  expect(mode()).toBe('both, callers strict');
  take(ledger);
  await tick();
  expect(mode(), 'requests are on their way').toBe('both, callers strict');
  await tick(500);
  expect([mode(), control.settled.value]).toEqual(['strict', undefined]);
  take(ledger);
  await tick();
  expect([control.settled.value, remembered.value]).toEqual([strict, strict]);
  expect([records.value?.tracks.size, control.rollout.phase]).toEqual([0, undefined]);
  expect(messages()).toContain('mesh in force');
});

/** Of a sidecar that reports, and has so many listeners that warm. */
const reportOf = (warming: number): Sample => ({
  ...{ listeners: undefined, warming, isStarting: false },
  draining: { chains: 0, listeners: 0 },
});

it('a step waits for a sidecar that says that its listeners warm', async () => {
  const { open, take, tick, start, mode, control } = await setUp();
  const { statistics } = control;
  const ledger = open('ledger', '10.0.1.1');
  statistics.onConnect(ledger.stream);
  await tick();
  take(ledger);
  await tick();
  const report = (warming: number): void =>
    statistics.take(ledger.stream.auth, reportOf(warming), statistics.mark);
  report(0);
  await start(meshIn('strict'));
  report(1);
  take(ledger);
  await tick();
  expect(mode()).toBe('both, callers disable');
  report(0);
  await tick();
  expect(mode()).toBe('both, callers strict');
  control.statistics.onDisconnect(ledger.stream);
});

it('a sidecar that says for ever that it warms is a mute one: until the deadline', async () => {
  const { open, take, tick, start, mode, control } = await setUp();
  const { statistics } = control;
  const ledger = open('ledger', '10.0.1.1');
  statistics.onConnect(ledger.stream);
  await tick();
  take(ledger);
  await start(meshIn('strict'));
  take(ledger);
  for (let waitedMs = 0; waitedMs < STAGE_DEADLINE_MS; waitedMs += 1_000) {
    statistics.take(ledger.stream.auth, reportOf(1), statistics.mark);
    expect(mode()).toBe('both, callers disable');
    await tick(1_000);
  }
  expect(mode()).toBe('disable');
  statistics.onDisconnect(ledger.stream);
});

it('a mute sidecar turns the track of its port back at the deadline', async () => {
  const { open, tick, start, mode, control } = await setUp();
  const ledger = open('ledger', '10.0.1.1');
  await tick();
  await start(meshIn('strict'));
  await tick(STAGE_DEADLINE_MS - 1);
  expect(mode()).toBe('both, callers disable');
  await tick(1);
  expect(mode()).toBe('disable');
  control.fleet.onDisconnect(ledger.stream);
  await tick();
  expect(mode(), 'it may come back').toBe('disable');
  await tick(GONE_GRACE_MS);
  await tick();
  expect(mode()).toBe('strict');
});

it('a sidecar that is gone is waited for within its grace only', async () => {
  const { open, take, tick, start, mode, control } = await setUp();
  const ledger = open('ledger', '10.0.1.1');
  await tick();
  take(ledger);
  control.fleet.onDisconnect(ledger.stream);
  await tick();
  await start(meshIn('strict'));
  expect([mode(), control.rollout.phase?.waitingFor]).toEqual([
    'both, callers disable',
    ['ledger~10.0.1.1'],
  ]);
  await tick(10_000);
  await tick();
  expect(mode()).toBe('strict');
});

it('a settled mesh is stored again when the store failed; nobody learns of it before', async () => {
  const { start, tick, remembered, control, messages } = await setUp();
  remembered.failure = new Error('disk full');
  const permissive = meshIn('permissive');
  await start(permissive);
  await tick();
  expect([control.settled.value, control.rollout.phase]).toEqual([undefined, undefined]);
  expect(messages()).toContain('the mesh in force could not be stored: it is tried again');
  remembered.failure = undefined;
  await tick(STORE_RETRY_MS);
  expect([control.settled.value, remembered.value]).toEqual([permissive, permissive]);
});

it('what was settled is not stored once another mesh is in force', async () => {
  const { start, tick, remembered, control } = await setUp();
  remembered.failure = new Error('disk full');
  await start(meshIn('permissive'));
  await tick();
  remembered.failure = undefined;
  const strict = meshIn('strict');
  await start(strict);
  await tick(2 * STORE_RETRY_MS);
  expect([control.settled.value, remembered.writes]).toEqual([strict, 1]);
});

it('revocations end streams and endpoints at once, and are published', async () => {
  const { open, take, tick, shutOut, revocations, registry, endpointsOf } = await setUp();
  const [web, ledger] = [open('web', '10.0.0.1'), open('ledger', '10.0.1.1')];
  await tick();
  take(web, ledger);
  await tick();
  expect([endpointsOf(web), registry.endpoints.value.size]).toEqual([1, 2]);
  const dataDir = new MemoryDataDir();
  await addRevocation(dataDir, { kind: 'service', subject: 'ledger', revokedAtMs: 0 });
  const list = await loadRevocations(dataDir);
  shutOut.setList(list);
  revocations.set({ ...NOTHING_REVOKED, list });
  expect([web.closed, (ledger.closed as { code?: string } | undefined)?.code]).toEqual([
    undefined,
    'revoked',
  ]);
  expect([...registry.endpoints.value.keys()]).toEqual(['web']);
});

it('a renewed leaf, and other trust anchors, reach whom they concern', async () => {
  const { open, take, tick, leaves, authority, control, looks } = await setUp();
  const [one, two] = [open('web', '10.0.0.1'), open('web', '10.0.0.2')];
  await tick();
  take(one, two);
  await tick();
  const sent = (): number[] => [one.sent.length, two.sent.length];
  const [a = 0, b = 0] = sent();
  leaves.renew('web~10.0.0.1');
  expect(sent()).toEqual([a + 1, b]);
  authority.trustAnchorsPem = 'both anchors';
  const before = looks();
  authorityChanged(control, leaves, false);
  expect([...sent(), leaves.reconsidered, looks()]).toEqual([a + 2, b + 1, 1, before + 1]);
});

/** A static Envoy of the callee's service, with both of its secrets. */
async function joinStatic(
  { control: { fleet }, tick }: Awaited<ReturnType<typeof setUp>>,
  names: readonly string[] = ['default', 'ROOTCA'],
): Promise<readonly SecretStream[]> {
  const peers = names.map(() => new SecretStream(fleet, { service: 'ledger' }));
  for (const peer of peers) fleet.onConnect(peer.stream);
  await tick();
  for (const [i, peer] of peers.entries()) peer.ask([names[i] ?? '']);
  return peers;
}

it('a phase does not wait for a static Envoy, whatever that lacks', async () => {
  const world = await setUp();
  const [web, ledger] = [world.open('web', '10.0.0.1'), world.open('ledger', '10.0.1.1')];
  const [leaf] = await joinStatic(world);
  leaf?.nack('no');
  await world.tick();
  world.take(web, ledger);
  await world.start(meshIn('strict'));
  const { rollout } = world.control;
  expect(rollout.phase?.waitingFor).toEqual(['ledger~10.0.1.1']);
  world.take(web, ledger);
  await world.tick();
  world.take(web, ledger);
  await world.tick(500);
  await world.tick();
  world.take(web, ledger);
  await world.tick();
  expect([rollout.phase, world.mode()]).toEqual([undefined, 'strict']);
});

it('one that asks whom a tcp port takes is waited for as the sidecars are', async () => {
  const tcpIn = (mode: string): Mesh =>
    meshOf(`trustDomain: shop.example
services: { ledger: { ports: { 8080: { protocol: tcp, mtls: ${mode} } } } }`);
  const world = await setUp(tcpIn('permissive'));
  await joinStatic(world, ['callers:8080']);
  await world.start(tcpIn('strict'));
  expect(world.control.rollout.phase?.waitingFor).toEqual(['ledger~10.0.0.9']);
});

it('a change of the trust anchors waits for every secret of a static Envoy', async () => {
  const world = await setUp();
  const [leaf, roots] = await joinStatic(world);
  const { clock, registry, staticEnvoys, control } = world;
  const leaves = { isCurrent: () => true, away: { mayHold: () => false } };
  const isShutOut = (): boolean => false;
  const paced = { clock, registry, staticEnvoys, leaves, isShutOut, members: control.members };
  const proxies = (): readonly unknown[] =>
    toCaProxies(paced, []).flatMap(({ node, state, hasLeaf }) =>
      hasLeaf ? [`${node} ${state}`] : [],
    );
  leaf?.ack();
  expect(proxies()).toEqual(['ledger~10.0.0.9 pending']);
  roots?.ack();
  expect(proxies()).toEqual(['ledger~10.0.0.9 synced']);
  if (roots !== undefined) world.control.fleet.onDisconnect(roots.stream);
  expect(proxies()).toEqual(['ledger~10.0.0.9 synced', 'ledger~10.0.0.9 pending']);
});

it('a static Envoy is no endpoint, and nobody waits for one that is revoked', async () => {
  const world = await setUp();
  const peers = await joinStatic(world);
  for (const peer of peers) peer.ack();
  await world.tick();
  expect([...world.registry.endpoints.value]).toEqual([]);
  const { revocations, staticEnvoys, control } = world;
  for (const { stream } of peers) control.fleet.onDisconnect(stream);
  expect(staticEnvoys.missing()).toEqual(['ledger~10.0.0.9']);
  const revocation = { kind: 'service', subject: 'ledger', revokedAtMs: 0 } as const;
  revocations.set({ ...NOTHING_REVOKED, list: new Map([['service ledger', revocation]]) });
  expect(staticEnvoys.missing()).toEqual([]);
});

it('closing leaves no timer', async () => {
  const { open, tick, start, clock, closers, registry, remembered } = await setUp();
  remembered.failure = new Error('disk full');
  await start(meshIn('permissive'));
  open('ledger', '10.0.1.1');
  await tick(1);
  await closers.close();
  registry.stop();
  expect(clock.pending).toBe(0);
});
