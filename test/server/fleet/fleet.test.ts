// The fleet without a server: streams, leaves and the publisher are fakes in memory.

import { describe, expect, it } from 'vitest';
import { MeshError } from '../../../src/base/index.js';
import type { Mesh } from '../../../src/policy/index.js';
import { Fleet, Members, SidecarRegistry } from '../../../src/server/fleet/index.js';
import { NO_ACCESS_MARKS } from '../../../src/server/mesh/index.js';
import { createResourceSet, type Snapshot, TYPE_URLS } from '../../../src/xds/index.js';
import { FakeLeaves } from '../../fakes/fake-leaves.js';
import { FakeStream, fakeSidecar } from '../../fakes/fake-stream.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { NO_DEPARTURES } from '../../fakes/no-departures.js';
import { NO_STATISTICS } from '../../fakes/no-statistics.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { settle } from '../../fakes/settle.js';
import { createStaticEnvoys } from '../../fakes/static-envoys.js';
import { meshOf } from '../../policy/helpers.js';

const meshIn = (ttl: string): Mesh =>
  meshOf(`trustDomain: shop.example
certificates: { ttl: ${ttl} }
services:
  web: {}
  ledger: { ports: { 8080: http } }`);
const SHUT_OUT = new MeshError('revoked', 'service "web" is revoked');

/** A snapshot whose listener is this text. */
function snapshotOf(text: string): Snapshot {
  const listener = { name: 'inbound', value: Buffer.from(text), version: text };
  return new Map([[TYPE_URLS.listener, createResourceSet([listener])]]);
}

/** Resources of these names, by type. */
function snapshotNamed(
  names: Partial<Record<keyof typeof TYPE_URLS, readonly string[]>>,
): Snapshot {
  const value = Buffer.alloc(0);
  return new Map(
    Object.entries(names).map(([type, list]) => [
      TYPE_URLS[type as keyof typeof TYPE_URLS],
      createResourceSet(list.map((name) => ({ name, value, version: 'one' }))),
    ]),
  );
}

/** What the mesh, the revocations and the translation say: the test's to change. */
function createWorld() {
  return {
    mesh: meshIn('24h'),
    text: 'one',
    /** Instead of one that is made of the text. */
    snapshot: undefined as Snapshot | undefined,
    unplaced: [] as string[],
    clashes: [] as { callee: string; place: string; holder: string }[],
    isShutOut: false,
    failure: undefined as Error | undefined,
    forgotten: [] as string[],
  };
}

function createPublisher(world: ReturnType<typeof createWorld>) {
  const snapshots = new Map<string, Snapshot>();
  return {
    toPublication() {
      if (world.failure !== undefined) throw world.failure;
      const made = world.snapshot ?? snapshots.get(world.text);
      const snapshot = made ?? snapshotOf(world.text);
      snapshots.set(world.text, snapshot);
      return { snapshot, unplaced: world.unplaced as never[], clashes: world.clashes };
    },
    forget: ({ node }: { node: string }) => void world.forgotten.push(node),
  };
}

function createFleet() {
  const clock = new ManualClock();
  const logger = recordingLogger();
  const leaves = new FakeLeaves();
  const world = createWorld();
  const registry = new SidecarRegistry({
    clock,
    store: new MemoryStore(),
    onStoreError: (error) => {
      throw error;
    },
  });
  const staticEnvoys = createStaticEnvoys(clock);
  const members = new Members({ clock, leaves, statistics: NO_STATISTICS });
  const fleet = new Fleet({
    ...{ clock, logger, members, leaves, registry, staticEnvoys },
    publisher: createPublisher(world),
    findHolder: async () => undefined,
    drains: { has: () => false, end: async () => false, departures: NO_DEPARTURES },
    mesh: () => world.mesh,
    inForce: () => ({ mesh: world.mesh, marks: NO_ACCESS_MARKS }),
    assertAdmitted: () => {
      if (world.isShutOut) throw SHUT_OUT;
    },
  });
  return { clock, logger, leaves, world, registry, members, fleet };
}

function setUp() {
  const parts = createFleet();
  const { logger, members, fleet } = parts;
  let changes = 0;
  members.changes.add(() => {
    changes++;
  });
  const open = (service = 'web', address = '10.0.0.1'): FakeStream => {
    const peer = new FakeStream(fakeSidecar(service, address));
    fleet.onConnect(peer.stream);
    return peer;
  };
  return {
    ...{ ...parts, open },
    changes: () => changes,
    async join(service?: string, address?: string) {
      const peer = open(service, address);
      await settle();
      return peer;
    },
    take(peer: FakeStream, unasked: readonly string[] = []) {
      peer.take(unasked);
      const typeUrl = TYPE_URLS.listener;
      fleet.onUpdate(peer.stream, { kind: 'acked', typeUrl, version: 'v', taken: [] });
    },
    reject(peer: FakeStream, message: string) {
      const rejection = peer.reject(message);
      const typeUrl = TYPE_URLS.listener;
      fleet.onUpdate(peer.stream, { kind: 'nacked', typeUrl, rejection });
    },
    states: () => members.view().map(({ state }) => state),
    troubles: () => members.view().flatMap(({ troubles }) => troubles),
    messages: () => logger.lines.map(({ message }) => message),
  };
}

describe('a sidecar that calls nobody and asks for few secrets', () => {
  it('for it has tcp ports alone, is in sync without the anchors', async () => {
    const { world, join, take, states } = setUp();
    world.snapshot = snapshotNamed({
      cluster: ['local:6000'],
      listener: ['mesh', 'inbound:6000'],
      secret: ['default', 'ROOTCA', 'callers:6000'],
    });
    const peer = await join('ledger', '10.0.0.7');
    take(peer, ['ROOTCA', 'callers:6000']);
    expect(states()).toEqual(['pending']);
    take(peer, ['ROOTCA']);
    expect(states()).toEqual(['synced']);
  });

  it('for it is drained and has no listeners, is in sync without any secret', async () => {
    const { world, join, take, states } = setUp();
    world.snapshot = snapshotNamed({
      cluster: ['local:8080'],
      route: ['inbound:8080'],
      secret: ['default', 'ROOTCA'],
    });
    const peer = await join('ledger', '10.0.0.7');
    take(peer, ['default', 'ROOTCA', 'inbound:8080']);
    expect(states()).toEqual(['synced']);
  });
});

describe('a sidecar that joins', () => {
  it('is sent nothing until its leaf is there', async () => {
    const { leaves, open, states, changes } = setUp();
    const make = leaves.hold();
    const peer = open();
    await settle();
    expect([peer.sent, states()]).toEqual([[], ['pending']]);
    make();
    await settle();
    expect([peer.sent.length, states(), changes()]).toEqual([1, ['pending'], 1]);
  });

  it('is in sync, and an endpoint, when it has taken all of it', async () => {
    const { join, take, states, registry } = setUp();
    const peer = await join('ledger', '10.0.0.7');
    expect([...registry.endpoints.value]).toEqual([]);
    take(peer);
    expect(states()).toEqual(['synced']);
    expect([...registry.endpoints.value]).toEqual([['ledger', [{ address: '10.0.0.7' }]]]);
  });

  it('is refused where no certificate can be had', async () => {
    const { leaves, join, messages, states } = setUp();
    leaves.failure = new MeshError('outside-ca-unreachable', 'no answer');
    const peer = await join();
    expect(peer.closed).toBe(leaves.failure);
    expect([peer.sent, states()]).toEqual([[], ['nacked']]);
    expect(messages()).toContain('no certificate for a sidecar');
  });

  it('is refused where it is shut out; waits where another service has its address', async () => {
    const { world, join, members } = setUp();
    await join('ledger', '10.0.0.7');
    world.mesh = meshOf(`trustDomain: shop.example
services: { web: { ports: { 80: http } }, ledger: { ports: { 8080: http } } }`);
    const second = await join('web', '10.0.0.7');
    expect([second.sent, second.closed]).toEqual([[], undefined]);
    expect(members.keptOut()).toMatchObject([{ node: 'web~10.0.0.7', holder: 'ledger~10.0.0.7' }]);
    world.isShutOut = true;
    const third = await join('web', '10.0.0.8');
    expect(third.closed).toBe(SHUT_OUT);
    expect(members.view()).toHaveLength(1);
  });

  it('is certified as nothing where its service is not declared', async () => {
    const { join, states } = setUp();
    const peer = await join('gone', '10.0.0.9');
    expect([peer.sent, peer.closed, states()]).toEqual([[], undefined, ['pending']]);
  });
});

describe('what is published', () => {
  it('is sent where it differs from what was sent', async () => {
    const { world, fleet, join, take, states } = setUp();
    const peer = await join();
    take(peer);
    fleet.publish();
    expect(peer.sent).toHaveLength(1);
    world.text = 'two';
    fleet.publish();
    expect([peer.sent.length, states()]).toEqual([2, ['pending']]);
  });

  it('a translation that throws keeps the last configuration, until one succeeds', async () => {
    const { world, fleet, join, take, states, troubles, messages } = setUp();
    const peer = await join();
    take(peer);
    world.failure = new Error('no translation');
    fleet.publish();
    expect([peer.sent.length, states()]).toEqual([1, ['nacked']]);
    expect(troubles()).toEqual(['internal error: it keeps its last configuration']);
    expect(messages()).toContain('a sidecar keeps its last configuration');
    world.failure = new MeshError('address-in-use', 'a loop');
    fleet.publish();
    expect(troubles()).toEqual(['a loop: it keeps its last configuration']);
    world.failure = undefined;
    fleet.publish();
    expect([peer.sent.length, states(), troubles()]).toEqual([1, ['synced'], []]);
  });
});

describe('what a sidecar lacks', () => {
  it('a NACK is the state and goes to the log; a bind failure is one sidecar’s own', async () => {
    const { join, take, reject, states, messages } = setUp();
    const peer = await join();
    take(peer);
    reject(peer, 'no such filter');
    expect(states()).toEqual(['nacked']);
    expect(messages()).toContain('a sidecar rejected its configuration');
    reject(peer, 'cannot bind 10.0.0.1:15443');
    expect(states()).toEqual(['unbound']);
    take(peer);
    expect(states()).toEqual(['synced']);
  });

  it('services without an address are named, and logged once', async () => {
    const { world, fleet, join, take, states, troubles, messages } = setUp();
    world.unplaced = ['a', 'b'];
    const peer = await join();
    take(peer);
    fleet.publish();
    expect([states(), troubles()]).toEqual([
      ['unbound'],
      ['outbound prefix too small for 2 services: a, b'],
    ]);
    const logged = messages().filter((text) => text === 'a sidecar cannot call some services');
    expect(logged).toHaveLength(1);
    world.unplaced = [];
    world.clashes = [{ callee: 'db:80', place: '198.18.0.2:80', holder: 'a:80' }];
    fleet.publish();
    expect([states(), troubles()]).toEqual([
      ['unbound'],
      ['no outbound listener for db:80 (198.18.0.2:80 is of a:80)'],
    ]);
    world.clashes = [];
    fleet.publish();
    expect([states(), troubles()]).toEqual([['synced'], []]);
  });
});

describe('a renewed leaf', () => {
  it('goes to its node, and to no other', async () => {
    const { world, fleet, join } = setUp();
    const [a, b] = [await join('web', '10.0.0.1'), await join('web', '10.0.0.2')];
    world.text = 'two';
    fleet.publishLeaf('web~10.0.0.1');
    expect([a.sent.length, b.sent.length]).toEqual([2, 1]);
  });
});

describe('leaves', () => {
  it('are made sure of again only where their settings changed', async () => {
    const { world, fleet, leaves, join } = setUp();
    await join();
    const before = leaves.get('web~10.0.0.1');
    fleet.renewLeaves();
    await settle();
    expect(leaves.get('web~10.0.0.1')).toBe(before);
    world.mesh = meshIn('12h');
    fleet.renewLeaves();
    await settle();
    expect(leaves.get('web~10.0.0.1')).not.toBe(before);
  });

  it('one that cannot be had by new settings is trouble, and the stream stays', async () => {
    const { world, fleet, leaves, join, take, states, troubles } = setUp();
    const peer = await join();
    take(peer);
    leaves.failure = new MeshError('outside-ca-unreachable', 'no answer');
    world.mesh = meshIn('12h');
    fleet.renewLeaves();
    expect(states(), 'it is being made').toEqual(['pending']);
    await settle();
    expect([states(), troubles()]).toEqual([['nacked'], ['no certificate: no answer']]);
    expect(peer.closed).toBe(undefined);
  });

  it('one that has ended is the state, whatever the sidecar has', async () => {
    const { clock, join, take, states, troubles } = setUp();
    take(await join());
    clock.advance(86_400_000);
    expect([states(), troubles()]).toEqual([
      ['nacked'],
      ['its certificate ended 2026-01-02T00:00:00.000Z'],
    ]);
  });
});

describe('a certificate that was not to be had', () => {
  it('that a full disk kept away is no trouble once it is there', async () => {
    const { world, fleet, leaves, join, take, states, troubles, changes } = setUp();
    const peer = await join();
    take(peer);
    leaves.failure = new MeshError('data-unwritable', 'expected to write but got ENOSPC');
    world.mesh = meshIn('12h');
    fleet.renewLeaves();
    await settle();
    expect([states(), troubles()]).toEqual([
      ['nacked'],
      ['no certificate: expected to write but got ENOSPC'],
    ]);
    // There is room, and the leaf is renewed by time: nobody prepares anything.
    leaves.failure = undefined;
    const before = changes();
    leaves.renew('web~10.0.0.1');
    fleet.publishLeaf('web~10.0.0.1');
    expect([states(), troubles()]).toEqual([['synced'], []]);
    expect(changes()).toBe(before + 1);
  });

  it('one that has not begun is the state', async () => {
    const { clock, join, take, states, troubles } = setUp();
    take(await join());
    clock.jump(-2 * 86_400_000);
    expect([states(), troubles()]).toEqual([
      ['nacked'],
      ['its certificate begins 2025-12-31T00:00:00.000Z'],
    ]);
  });
});

describe('a sidecar that leaves', () => {
  it('is forgotten with its last stream: a newer stream supersedes it', async () => {
    const { world, fleet, join, take, members, leaves } = setUp();
    const old = await join();
    const next = await join();
    take(next);
    expect(members.view().map(({ stream, state }) => [stream, state])).toEqual([
      [next.stream, 'synced'],
    ]);
    fleet.onDisconnect(old.stream);
    expect([world.forgotten, leaves.released, members.view().length]).toEqual([[], [], 1]);
    fleet.onDisconnect(next.stream);
    expect([world.forgotten, leaves.released, members.view().length]).toEqual([
      ['web~10.0.0.1'],
      ['web~10.0.0.1'],
      0,
    ]);
  });

  it('while its leaf is made is sent nothing any more', async () => {
    const { fleet, leaves, open } = setUp();
    const make = leaves.hold();
    const peer = open();
    fleet.onDisconnect(peer.stream);
    make();
    await settle();
    expect(peer.sent).toEqual([]);
  });

  it('twice is noted once', async () => {
    const { fleet, join, changes } = setUp();
    const peer = await join();
    const before = changes();
    fleet.onDisconnect(peer.stream);
    fleet.onDisconnect(peer.stream);
    expect(changes()).toBe(before + 1);
  });
});

it('whoever is shut out has its streams ended, each with the reason', async () => {
  const { world, fleet, join, messages } = setUp();
  const peers = [await join('web', '10.0.0.1'), await join('web', '10.0.0.2')];
  fleet.shutOut();
  expect(peers.map(({ closed }) => closed)).toEqual([undefined, undefined]);
  world.isShutOut = true;
  fleet.shutOut();
  expect(peers.map(({ closed }) => closed)).toEqual([SHUT_OUT, SHUT_OUT]);
  expect(messages().filter((text) => text === 'a sidecar is shut out')).toHaveLength(2);
});
