// Two sidecars that say they are at one address: who is called there, who waits, and who is told.
import { expect, it } from 'vitest';
import { MeshError } from '../../../src/base/index.js';
import {
  Fleet,
  type InstanceLimits,
  Members,
  type RefusedStream,
  SidecarRegistry,
} from '../../../src/server/fleet/index.js';
import { GONE_GRACE_MS } from '../../../src/server/fleet/registry.js';
import type { Sidecar } from '../../../src/server/join/index.js';
import { NO_ACCESS_MARKS } from '../../../src/server/mesh/index.js';
import { createResourceSet, type Request, TYPE_URLS } from '../../../src/xds/index.js';
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

const MESH = meshOf(`trustDomain: shop.example
services: { web: { ports: { 80: http } }, cache: { ports: { 81: http } } }`);
const LISTENER = { name: 'inbound', value: Buffer.from('listener'), version: 'v' };
const SNAPSHOT = new Map([[TYPE_URLS.listener, createResourceSet([LISTENER])]]);
const AT = '10.0.0.7';
const SHUT_OUT = new MeshError('revoked', 'it is revoked');

const PUBLISHER = {
  toPublication: () => ({ snapshot: SNAPSHOT, unplaced: [], clashes: [] }),
  forget: () => {},
};

function setUp(maxInstances?: InstanceLimits) {
  const clock = new ManualClock();
  const leaves = new FakeLeaves();
  const registry = new SidecarRegistry({
    ...{ clock, store: new MemoryStore() },
    onStoreError: (error) => {
      throw error;
    },
  });
  const staticEnvoys = createStaticEnvoys(clock, maxInstances?.perService);
  const members = new Members({ clock, leaves, statistics: NO_STATISTICS });
  const refused: RefusedStream[] = [];
  members.refused.add((one) => void refused.push(one));
  const shutOut = new Set<string>();
  const drained: string[] = [];
  const world = { mesh: MESH };
  const fleet = new Fleet({
    ...{ clock, logger: recordingLogger(), members, leaves, registry, staticEnvoys },
    publisher: PUBLISHER,
    findHolder: async () => undefined,
    drains: {
      has: (node) => node === 'cache~drained',
      end: async (node) => drained.push(node) > 0,
      departures: NO_DEPARTURES,
    },
    mesh: () => world.mesh,
    inForce: () => ({ mesh: world.mesh, marks: NO_ACCESS_MARKS }),
    maxInstances,
    assertAdmitted: ({ node }) => {
      if (shutOut.has(node)) throw SHUT_OUT;
    },
  });
  return {
    ...{ clock, registry, members, fleet, shutOut, drained, world },
    async join(service: string, changes: Partial<Sidecar> = {}): Promise<FakeStream> {
      const peer = new FakeStream(fakeSidecar(service, AT, changes));
      fleet.onConnect(peer.stream);
      await settle();
      return peer;
    },
    async leave(peer: FakeStream) {
      fleet.onDisconnect(peer.stream);
      await pass(clock, 0);
    },
    pass: (ms: number) => pass(clock, ms),
    take(peer: FakeStream) {
      peer.take();
      const typeUrl = TYPE_URLS.listener;
      fleet.onUpdate(peer.stream, { kind: 'acked', typeUrl, version: 'v', taken: [] });
    },
    refusals: () =>
      refused.map(({ stream, error, holder }) => [
        stream.auth.node,
        error instanceof MeshError ? error.code : error,
        holder,
      ]),
    keptOut: () => members.keptOut().map(({ node, holder }) => [node, holder]),
    called: () => [...registry.endpoints.value.keys()],
  };
}

async function pass(clock: ManualClock, ms: number): Promise<void> {
  clock.advance(ms);
  await settle();
}

const WEB = `web~${AT}`;
const CACHE = `cache~${AT}`;

it('a sidecar kept out of its address is told with both parties while it lasts', async () => {
  const { join, keptOut, refusals, pass, leave } = setUp();
  await join('web');
  const cache = await join('cache');
  expect([cache.sent, cache.closed, keptOut()]).toEqual([[], undefined, [[CACHE, WEB]]]);
  expect(refusals()).toEqual([[CACHE, 'address-in-use', WEB]]);
  await pass(60_000);
  await pass(60_000);
  expect(refusals()).toHaveLength(3);
  await leave(cache);
  await pass(60_000);
  expect([refusals().length, keptOut()]).toEqual([3, []]);
});

it('the owner of an address comes back at once when whoever took it meanwhile goes', async () => {
  const { join, leave, pass, keptOut, registry } = setUp();
  await leave(await join('cache'));
  await pass(GONE_GRACE_MS);
  const thief = await join('web');
  const cache = await join('cache');
  expect(keptOut()).toEqual([[CACHE, WEB]]);
  await leave(thief);
  expect([cache.sent.length, keptOut(), registry.missing()]).toEqual([1, [], []]);
});

it('an address is kept for its sidecar for the grace, and then goes to who waits', async () => {
  const { join, leave, pass, take, called, keptOut } = setUp();
  const web = await join('web');
  take(web);
  const cache = await join('cache');
  await leave(web);
  await pass(GONE_GRACE_MS - 1);
  expect([called(), keptOut()]).toEqual([['web'], [[CACHE, WEB]]]);
  await pass(1);
  await pass(0);
  expect([cache.sent.length, keptOut()]).toEqual([1, []]);
  take(cache);
  expect(called()).toEqual(['cache']);
});

it.each([
  ['seen', 'claimed'],
  ['bound', 'claimed'],
  ['bound', 'seen'],
] as const)('who is %s there pushes off who is %s, at once and for good', async (better, worse) => {
  const { join, take, called, refusals, keptOut, leave, pass } = setUp();
  const web = await join('web', { addressProof: worse });
  take(web);
  const cache = await join('cache', { addressProof: better });
  expect([web.closed, cache.sent.length]).toEqual([
    expect.objectContaining({ code: 'address-in-use', variant: 'proved' }),
    1,
  ]);
  expect([called(), refusals()]).toEqual([[], [[WEB, 'address-in-use', CACHE]]]);
  take(cache);
  await leave(web);
  await join('web', { addressProof: worse });
  expect([called(), keptOut()]).toEqual([['cache'], [[WEB, CACHE]]]);
  // Also while it is away for a moment.
  await leave(cache);
  await pass(GONE_GRACE_MS - 1);
  expect([called(), keptOut()]).toEqual([['cache'], [[WEB, CACHE]]]);
});

it.each(['claimed', 'seen', 'bound'] as const)(
  'who is %s there is not pushed off by who is no more than that',
  async (addressProof) => {
    const { join, take, called, keptOut } = setUp();
    take(await join('web', { addressProof }));
    await join('cache', { addressProof });
    expect([called(), keptOut()]).toEqual([['web'], [[CACHE, WEB]]]);
  },
);

it('an instance that proves its address shares it with none that only claims it', async () => {
  const { join, keptOut } = setUp();
  const mine = await join('web', { node: 'web~mine', addressProof: 'seen' });
  await join('web', { node: 'web~thief' });
  expect([mine.closed, keptOut()]).toEqual([undefined, [['web~thief', 'web~mine']]]);
});

it('one that waits and is shut out is ended', async () => {
  const { join, shutOut, fleet, keptOut } = setUp();
  await join('web');
  const cache = await join('cache');
  shutOut.add(CACHE);
  fleet.shutOut();
  expect([cache.closed, keptOut()]).toEqual([SHUT_OUT, []]);
});

it('one whose address is taken by one that is shut out is let in', async () => {
  const { join, registry, pass, keptOut } = setUp();
  await join('web');
  await join('cache');
  registry.evict(({ node }) => node === WEB);
  await pass(0);
  expect(keptOut()).toEqual([]);
});

it('a new Envoy of a drained instance ends its drain although it had to wait', async () => {
  const { join, leave, pass, fleet, drained } = setUp();
  const web = await join('web');
  const cache = await join('cache', { node: 'cache~drained' });
  const interest = { variant: 'sotw', versionInfo: '' };
  fleet.onRequest(cache.stream, { interest } as unknown as Request);
  expect(drained).toEqual([]);
  await leave(web);
  await pass(GONE_GRACE_MS);
  await pass(0);
  expect(drained).toEqual(['cache~drained']);
});

it('one token lets in no more than it may, and the next when one has gone', async () => {
  const { join, leave, refusals, members } = setUp({ perService: 1_000, perCredential: 2 });
  const at = (address: string) => ({ address, node: `web~${address}` as const });
  const first = await join('web', at('10.0.0.1'));
  await join('web', at('10.0.0.2'));
  await join('web', at('10.0.0.2'));
  const third = await join('web', at('10.0.0.3'));
  expect(third.closed).toMatchObject({
    ...{ code: 'instance-limit', message: 'expected at most 2 sidecars by one token at once' },
  });
  expect(refusals()).toEqual([['web~10.0.0.3', 'instance-limit', undefined]]);
  const certificate = { kind: 'certificate', serialHex: '0a', notAfterMs: 0 } as const;
  expect((await join('web', { ...at('10.0.0.4'), credential: certificate })).sent).toHaveLength(1);
  await leave(first);
  expect((await join('web', at('10.0.0.3'))).sent).toHaveLength(1);
  expect(members.view()).toHaveLength(3);
});

it('a token of one instance lets in a few at most', async () => {
  const { join } = setUp();
  const opened = Array.from({ length: 9 }, (_, i) =>
    join('web', { address: `10.0.0.${i + 1}`, node: 'web~a', isOneInstance: true }),
  );
  const closed = (await Promise.all(opened)).flatMap((peer) => peer.closed ?? []);
  expect(closed).toMatchObject([{ code: 'instance-limit' }]);
});

it('a service that gets its first port has no address of another by that', async () => {
  const { join, take, world, fleet, called, refusals } = setUp();
  const first = meshOf('{ trustDomain: shop.example, services: { web: {}, cache: {} } }');
  world.mesh = first;
  const [web, cache] = [await join('web'), await join('cache')];
  world.mesh = MESH;
  fleet.renewLeaves();
  take(web);
  expect([web.closed, cache.closed, called()]).toEqual([
    undefined,
    expect.objectContaining({ code: 'address-in-use' }),
    ['web'],
  ]);
  expect(refusals()).toEqual([[CACHE, 'address-in-use', WEB]]);
});

it('who waits for an address is let in when its holder has no port any more', async () => {
  const { join, world, fleet, pass, keptOut } = setUp();
  await join('web');
  await join('cache');
  world.mesh = meshOf(`trustDomain: shop.example
services: { web: {}, cache: { ports: { 81: http } } }`);
  fleet.renewLeaves();
  await pass(0);
  expect(keptOut()).toEqual([]);
});
