import { describe, expect, it } from 'vitest';
import { MeshError } from '../../../src/base/index.js';
import type { Leaf } from '../../../src/ca/index.js';
import { Fleet, Members, SidecarRegistry } from '../../../src/server/fleet/index.js';
import { NO_ACCESS_MARKS } from '../../../src/server/mesh/index.js';
import {
  createResourceSet,
  type Snapshot,
  TYPE_URLS,
  type Variant,
} from '../../../src/xds/index.js';
import { FakeLeaves } from '../../fakes/fake-leaves.js';
import { FakeStream, fakeSidecar } from '../../fakes/fake-stream.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { NO_DEPARTURES } from '../../fakes/no-departures.js';
import { NO_STATISTICS } from '../../fakes/no-statistics.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { SecretStream, type SecretStreamOptions } from '../../fakes/secret-stream.js';
import { settle } from '../../fakes/settle.js';
import { createStaticEnvoys } from '../../fakes/static-envoys.js';
import { meshOf } from '../../policy/helpers.js';

// Static Envoys: a stream for each secret, judged together, and nobody's endpoint.

const MESH = meshOf(`trustDomain: shop.example
services:
  gateway: { ports: { 8080: http } }
  web: { ports: { 8080: http } }`);
const SPIFFE_ID = 'spiffe://shop.example/ns/default/sa/gateway';
const SHUT_OUT = new MeshError('revoked', 'service "gateway" is revoked');

function setUp() {
  const clock = new ManualClock();
  const logger = recordingLogger();
  const fakeLeaves = new FakeLeaves();
  const world = { anchors: 'one', isShutOut: false, isDeclared: true };
  const onStoreError = (error: unknown): never => {
    throw error;
  };
  const registry = new SidecarRegistry({ clock, store: new MemoryStore(), onStoreError });
  const staticEnvoys = createStaticEnvoys(clock);
  // As the real ones: a leaf that will do is kept.
  const leaves = {
    get: (node: string) => fakeLeaves.get(node as never),
    isTrusted: () => true,
    rest: () => undefined,
    troubleOf: (node: string) => fakeLeaves.troubleOf(node as never),
    release: (node: string) => fakeLeaves.release(node as never),
    ensure: async (node: string, settings: { ttlMs: number }): Promise<Leaf> =>
      fakeLeaves.get(node as never) ?? fakeLeaves.ensure(node as never, settings as never),
  } as unknown as FakeLeaves;
  const members = new Members({ clock, leaves, statistics: NO_STATISTICS });
  const toSet = (leaf: Leaf) =>
    createResourceSet(
      world.isDeclared
        ? [toSecret('default', leaf.serialHex), toSecret('ROOTCA', world.anchors)]
        : [],
    );
  const toPublication = (_: unknown, leaf: Leaf) => ({
    snapshot: new Map([[TYPE_URLS.secret, toSet(leaf)]]) as Snapshot,
    ...{ unplaced: [], clashes: [] },
  });
  const fleet = new Fleet({
    ...{ clock, logger, members, leaves, registry, staticEnvoys },
    publisher: { toPublication, forget: () => undefined },
    findHolder: async () => undefined,
    drains: { has: () => true, end: async () => false, departures: NO_DEPARTURES },
    mesh: () => MESH,
    inForce: () => ({ mesh: MESH, marks: NO_ACCESS_MARKS }),
    assertAdmitted: () => {
      if (world.isShutOut) throw SHUT_OUT;
    },
  });
  return {
    ...{ clock, logger, world, registry, staticEnvoys, members, fleet },
    renew: (node: string) => fakeLeaves.renew(node as never),
    states: () => members.view().map(({ state }) => state),
    /** One that has asked, and has not answered. */
    async open(names: readonly string[], options: SecretStreamOptions = {}) {
      const peer = new SecretStream(fleet, options);
      fleet.onConnect(peer.stream);
      await settle();
      if (peer.closed === undefined) peer.ask(names);
      return peer;
    },
  };
}

function toSecret(name: string, text: string) {
  return { name, value: Buffer.from(text), version: text };
}

async function joined(variant: Variant = 'delta') {
  const parts = setUp();
  const leaf = await parts.open(['default'], { variant });
  const roots = await parts.open(['ROOTCA'], { variant });
  for (const peer of [leaf, roots]) peer.ack();
  return { ...parts, leaf, roots };
}

describe.each(['delta', 'sotw'] as const)('%s: each stream counts', (variant) => {
  it('a node is in sync once each of its streams has what that one asked for', async () => {
    const { open, states } = setUp();
    const leaf = await open(['default'], { variant });
    expect(states()).toEqual(['pending']);
    leaf.ack();
    expect(states()).toEqual(['synced']);
    const roots = await open(['ROOTCA'], { variant });
    expect(states()).toEqual(['pending']);
    roots.ack();
    expect(states()).toEqual(['synced']);
  });

  it('a new root is not in force while the stream of the anchors has not taken it', async () => {
    const { world, fleet, states, leaf, roots } = await joined(variant);
    world.anchors = 'one and two';
    fleet.publish();
    expect([leaf.unanswered.length, roots.unanswered.length]).toEqual([0, 1]);
    expect(states()).toEqual(['pending']);
    roots.ack();
    expect(states()).toEqual(['synced']);
  });

  it('a new leaf is not in force while the stream of the leaf has not taken it', async () => {
    const { fleet, states, leaf, renew } = await joined(variant);
    renew('gateway~10.0.0.9');
    fleet.publishLeaf('gateway~10.0.0.9');
    expect(states()).toEqual(['pending']);
    leaf.ack();
    expect(states()).toEqual(['synced']);
  });
});

describe.each(['delta', 'sotw'] as const)('%s: a name that there is not', (variant) => {
  it('is told in the log and in the state, and holds nobody', async () => {
    const { open, members, logger, leaf } = await joined(variant);
    leaf.ask(['default', SPIFFE_ID]);
    if (variant === 'delta') leaf.ack();
    await open(['ROOTCA', 'mine'], { variant }).then((peer) => peer.ack());
    expect(members.view()).toMatchObject([
      {
        state: 'unbound',
        troubles: [
          `there is no secret "${SPIFFE_ID}" for it, but default, ROOTCA`,
          'there is no secret "mine" for it, but default, ROOTCA',
        ],
      },
    ]);
    const lines = logger.lines.filter(({ level }) => level === 'error');
    expect(lines).toMatchObject([
      { fields: { names: [SPIFFE_ID] } },
      { fields: { node: 'gateway~10.0.0.9', names: ['mine'], has: ['default', 'ROOTCA'] } },
    ]);
  });
});

it('one stream that rejects what it was sent is the state of its node', async () => {
  const { open, states, members, leaf } = await joined();
  const other = await open(['default']);
  other.nack('bad key');
  leaf.ack();
  expect(states()).toEqual(['nacked']);
  expect(members.view()[0]?.reports.map(({ standing }) => standing.state)).toEqual([
    ...['synced', 'synced', 'nacked'],
  ]);
});

it('one that comes back with all that it had is in sync at once', async () => {
  const { open, states, fleet, leaf, roots } = await joined();
  for (const { stream } of [leaf, roots]) fleet.onDisconnect(stream);
  expect(states()).toEqual([]);
  const versions = new Map([['ROOTCA', 'one']]);
  const again = new SecretStream(fleet);
  fleet.onConnect(again.stream);
  await settle();
  again.ask(['ROOTCA'], versions);
  expect(again.unanswered.length).toBeLessThan(2);
  again.ack();
  expect(states()).toEqual(['synced']);
  await open(['default']);
  expect(states()).toEqual(['pending']);
});

it('while one of its secrets is not asked for again its node is missing', async () => {
  const { fleet, staticEnvoys, states, leaf } = await joined();
  fleet.onDisconnect(leaf.stream);
  expect([states(), staticEnvoys.missing()]).toEqual([['synced'], ['gateway~10.0.0.9']]);
});

it('it is no endpoint, and keeps nobody from its address', async () => {
  const { registry, fleet, members, states } = await joined();
  expect([...registry.endpoints.value]).toEqual([]);
  expect(registry.missing()).toEqual([]);
  const sidecars = ['gateway', 'web'].map((service) => {
    const peer = new FakeStream(fakeSidecar(service, '10.0.0.9'));
    return { peer, service };
  });
  const [own, other] = sidecars.map(({ peer }) => peer);
  if (own === undefined || other === undefined) throw new Error('two sidecars');
  fleet.onConnect(own.stream);
  await settle();
  expect(own.closed).toBeUndefined();
  fleet.onConnect(other.stream);
  expect(members.keptOut(), 'for the sidecar alone').toMatchObject([
    { node: 'web~10.0.0.9', holder: 'gateway~10.0.0.9' },
  ]);
  // Beside the sidecar of the same node it is one of its own.
  expect(states()).toEqual(['synced', 'pending']);
});

it('a sidecar at its address does not keep it out', async () => {
  const { open, fleet, states, members } = setUp();
  const web = new FakeStream(fakeSidecar('web', '10.0.0.9'));
  fleet.onConnect(web.stream);
  const peer = await open(['default']);
  peer.ack();
  expect([peer.closed, members.keptOut()]).toEqual([undefined, []]);
  expect(states()).toContain('synced');
});

it('all of its streams end when it is shut out, and none comes back', async () => {
  const { world, fleet, open, leaf, roots } = await joined();
  world.isShutOut = true;
  fleet.shutOut();
  expect([leaf.closed, roots.closed]).toEqual([SHUT_OUT, SHUT_OUT]);
  expect((await open(['default'])).closed).toBe(SHUT_OUT);
});

it('one of a service that nobody declares any more asks for nothing in vain', async () => {
  const { world, fleet, states, logger, leaf, roots } = await joined();
  world.isDeclared = false;
  fleet.publish();
  for (const peer of [leaf, roots]) peer.ack();
  expect(states()).toEqual(['synced']);
  expect(logger.lines.filter(({ level }) => level === 'error')).toEqual([]);
});

it('it is logged once, whatever the number of its streams', async () => {
  const { logger, fleet, leaf, roots } = await joined();
  for (const { stream } of [leaf, roots]) fleet.onDisconnect(stream);
  const messages = logger.lines.map(({ message }) => message);
  expect(messages).toEqual(['static Envoy connected', 'static Envoy disconnected']);
});
