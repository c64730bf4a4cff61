// A new mesh goes to one sidecar of each kind first. Streams, leaves and the publisher are fakes.
import { expect, it } from 'vitest';
import type { Mesh } from '../../../src/policy/index.js';
import { CANARY_DEADLINE_MS } from '../../../src/server/fleet/canaries.js';
import { Fleet, Members, SidecarRegistry } from '../../../src/server/fleet/index.js';
import type { Sidecar } from '../../../src/server/join/index.js';
import { type MeshInForce, NO_ACCESS_MARKS } from '../../../src/server/mesh/index.js';
import { createResourceSet, type Snapshot, TYPE_URLS } from '../../../src/xds/index.js';
import { FakeLeaves } from '../../fakes/fake-leaves.js';
import { FakeStream, fakeSidecar } from '../../fakes/fake-stream.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { NO_DEPARTURES } from '../../fakes/no-departures.js';
import { NO_STATISTICS } from '../../fakes/no-statistics.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { SecretStream } from '../../fakes/secret-stream.js';
import { settle } from '../../fakes/settle.js';
import { createStaticEnvoys } from '../../fakes/static-envoys.js';
import { meshOf } from '../../policy/helpers.js';

const meshIn = (mode: string, services = 'ledger: { ports: { 8080: http } }'): Mesh =>
  meshOf(`trustDomain: shop.example
mtls: ${mode}
services:
  web: {}
  ${services}`);
const ONE = meshIn('permissive');
const TWO = meshIn('strict');
const THREE = meshIn('disable');

const setOf = (name: string, version: string) =>
  createResourceSet([{ name, value: Buffer.from(version), version }]);

const SECRETS: Snapshot = new Map([[TYPE_URLS.secret, setOf('default', 'v')]]);

/** A listener of the mesh, and an endpoint and a secret of other things. */
function createPublisher() {
  const world = { endpoint: 'a', listenerOf: ({ version }: Mesh) => version, fails: '' };
  const sets = new Map<string, ReturnType<typeof setOf>>();
  const keep = (name: string, version: string) => {
    const key = `${name} ${version}`;
    const set = sets.get(key) ?? setOf(name, version);
    sets.set(key, set);
    return set;
  };
  const toPublication = ({ node, isStatic }: Sidecar, _leaf: unknown, of?: MeshInForce) => {
    if (isStatic) return { snapshot: SECRETS, unplaced: [], clashes: [] };
    if (of === undefined) throw new Error('expected a mesh');
    if (world.fails === node && of.mesh === TWO) throw new Error('nothing can be made of it');
    const snapshot: Snapshot = new Map([
      [TYPE_URLS.listener, keep('inbound', world.listenerOf(of.mesh))],
      [TYPE_URLS.endpoint, keep('ledger:8080', world.endpoint)],
    ]);
    return { snapshot, unplaced: [], clashes: [] };
  };
  return { world, toPublication, forget: () => undefined };
}

function createFleet() {
  const clock = new ManualClock();
  const logger = recordingLogger();
  const leaves = new FakeLeaves();
  const publisher = createPublisher();
  const world = Object.assign(publisher.world, { mesh: ONE });
  const onStoreError = (error: unknown): void => {
    throw error;
  };
  const registry = new SidecarRegistry({ clock, store: new MemoryStore(), onStoreError });
  const staticEnvoys = createStaticEnvoys(clock);
  const members = new Members({ clock, leaves, statistics: NO_STATISTICS });
  const fleet = new Fleet({
    ...{ clock, logger, members, leaves, registry, staticEnvoys, publisher },
    findHolder: async () => undefined,
    drains: { has: () => false, end: async () => false, departures: NO_DEPARTURES },
    mesh: () => world.mesh,
    inForce: () => ({ mesh: world.mesh, marks: NO_ACCESS_MARKS }),
    assertAdmitted: () => undefined,
  });
  return { clock, logger, members, fleet, world };
}

function setUp() {
  const parts = createFleet();
  const { members, fleet, world } = parts;
  const answer = (peer: FakeStream, words?: string): void => {
    const typeUrl = TYPE_URLS.listener;
    if (words === undefined) peer.take();
    const rejection = words === undefined ? undefined : peer.reject(words);
    const update = rejection === undefined ? { kind: 'acked' } : { kind: 'nacked', rejection };
    fleet.onUpdate(peer.stream, { ...update, typeUrl } as never);
  };
  const edit = (next: Mesh): void => {
    world.mesh = next;
    fleet.publish();
  };
  const join = async (service: string, address: string): Promise<FakeStream> => {
    const peer = new FakeStream(fakeSidecar(service, address));
    fleet.onConnect(peer.stream);
    await settle();
    return peer;
  };
  /** Three sidecars of one service that have the first mesh, and one of another. */
  const start = async () => {
    const peers = {
      a: await join('ledger', '10.0.0.1'),
      b: await join('ledger', '10.0.0.2'),
      c: await join('ledger', '10.0.0.3'),
      web: await join('web', '10.0.1.1'),
    };
    for (const peer of Object.values(peers)) answer(peer);
    return peers;
  };
  const stateOf = (peer: FakeStream) =>
    members.view().find(({ stream }) => stream === peer.stream)?.state;
  return { ...parts, answer, edit, join, start, stateOf };
}

/** The mesh that a sidecar was sent last. */
function meshOfPeer(peer: FakeStream): string | undefined {
  const listener = peer.newest?.get(TYPE_URLS.listener)?.resources.get('inbound');
  return [ONE, TWO, THREE].find(({ version }) => version === listener?.version)?.version;
}

const versions = (...peers: readonly FakeStream[]) => peers.map(meshOfPeer);

it('the first of a kind is sent a new mesh, and the others when it has taken it', async () => {
  const { edit, start, answer, stateOf } = setUp();
  const { a, b, c, web } = await start();
  edit(TWO);
  expect(versions(a, b, c, web)).toEqual([TWO, ONE, ONE, TWO].map(({ version }) => version));
  expect([a, b, c].map(stateOf)).toEqual(['pending', 'pending', 'pending']);
  answer(a);
  expect(versions(a, b, c)).toEqual([TWO, TWO, TWO].map(({ version }) => version));
  expect(stateOf(b)).toBe('pending');
  answer(b);
  expect(stateOf(b)).toBe('synced');
});

it('where the first rejects it the others keep the last good mesh, as does who joins', async () => {
  const { edit, start, answer, join, stateOf, members, logger } = setUp();
  const { a, b, c } = await start();
  edit(TWO);
  answer(a, 'no such cipher');
  expect(versions(b, c)).toEqual([ONE.version, ONE.version]);
  expect([a, b, c].map(stateOf)).toEqual(['nacked', 'held', 'held']);
  const late = await join('ledger', '10.0.0.4');
  expect(versions(late)).toEqual([ONE.version]);
  const view = members.view().find(({ stream }) => stream === b.stream);
  const hold = { canary: 'ledger~10.0.0.1', isRejected: true };
  expect(view).toMatchObject({ ownState: 'synced', hold });
  const log = logger.lines.map(({ message }) => message).join('\n');
  expect(log).toContain('the others keep theirs');
});

it('a static Envoy of the service tries nothing for its sidecars, and is not held', async () => {
  const { fleet, edit, join, answer, stateOf } = setUp();
  const own = new SecretStream(fleet, { service: 'ledger', address: '10.0.0.9' });
  fleet.onConnect(own.stream);
  await settle();
  own.ask(['default']);
  own.ack();
  const [a, b] = [await join('ledger', '10.0.0.1'), await join('ledger', '10.0.0.2')];
  for (const peer of [a, b]) answer(peer);
  edit(TWO);
  expect(versions(a, b)).toEqual([TWO.version, ONE.version]);
  answer(a, 'no such cipher');
  expect([own, a, b].map(stateOf)).toEqual(['synced', 'nacked', 'held']);
});

it('endpoints reach those that keep an older mesh', async () => {
  const { edit, start, answer, fleet, world } = setUp();
  const { a, b } = await start();
  edit(TWO);
  answer(a, 'no such cipher');
  world.endpoint = 'moved';
  fleet.publish();
  const endpoints = b.newest?.get(TYPE_URLS.endpoint)?.resources.get('ledger:8080');
  expect(endpoints?.version).toBe('moved');
  expect(versions(b)).toEqual([ONE.version]);
});

it('a newer mesh is tried by the one that rejected the one before', async () => {
  const { edit, start, answer } = setUp();
  const { a, b } = await start();
  edit(TWO);
  answer(a, 'no such cipher');
  edit(THREE);
  expect(versions(a, b)).toEqual([THREE.version, ONE.version]);
  answer(a);
  expect(versions(b)).toEqual([THREE.version]);
});

it('an edit that is taken back holds nobody', async () => {
  const { edit, start, answer, stateOf } = setUp();
  const { a, b } = await start();
  edit(TWO);
  answer(a, 'no such cipher');
  edit(ONE);
  expect(versions(a, b)).toEqual([ONE.version, ONE.version]);
  expect(stateOf(b)).toBe('synced');
});

it('a mute one is passed over, and then the next', async () => {
  const { edit, start, clock } = setUp();
  const { a, b, c } = await start();
  edit(TWO);
  clock.advance(CANARY_DEADLINE_MS);
  expect(versions(a, b, c)).toEqual([TWO.version, TWO.version, ONE.version]);
  clock.advance(CANARY_DEADLINE_MS);
  expect(versions(c)).toEqual([TWO.version]);
});

it.each(['before it answers', 'after it has rejected the mesh'])(
  'where the first one goes %s another one is the first',
  async (when) => {
    const { edit, start, answer, fleet } = setUp();
    const { a, b, c } = await start();
    edit(TWO);
    if (when !== 'before it answers') answer(a, 'no such cipher');
    fleet.onDisconnect(a.stream);
    expect(versions(b, c)).toEqual([TWO.version, ONE.version]);
    answer(b);
    expect(versions(c)).toEqual([TWO.version]);
  },
);

it('a mesh that means the same for a kind waits for nobody', async () => {
  const { edit, start, world, stateOf } = setUp();
  world.listenerOf = () => ONE.version;
  const { a, b } = await start();
  edit(TWO);
  expect(a.sent).toHaveLength(1);
  expect([a, b].map(stateOf)).toEqual(['synced', 'synced']);
});

it('one for which nothing can be made says nothing of the others', async () => {
  const { edit, start, world } = setUp();
  const { a, b, c } = await start();
  world.fails = 'ledger~10.0.0.1';
  edit(TWO);
  expect(versions(a, b, c)).toEqual([ONE.version, TWO.version, ONE.version]);
});

it('the rejection of one service holds back no other', async () => {
  const { edit, start, answer, stateOf } = setUp();
  const { a, web } = await start();
  edit(TWO);
  answer(a, 'no such cipher');
  answer(web);
  expect(stateOf(web)).toBe('synced');
});

it('a service that is not declared any more is told so at once', async () => {
  const { edit, start } = setUp();
  const { a, b } = await start();
  const gone = meshIn('strict', 'other: { ports: { 8080: http } }');
  edit(gone);
  expect([a.sent.length, b.sent.length]).toEqual([2, 2]);
});
