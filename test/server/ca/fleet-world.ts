// A server's control loop with a real CA, real leaves and a change of root, on a folder in memory
// and a clock that the test moves; its sidecars take what they are sent when the test says so, and
// judge one another by what they took.
import { expect, onTestFinished } from 'vitest';
import type { z } from 'zod';
import { Closers, Watch } from '../../../src/base/index.js';
import { type CaChain, createCaChain, loadOrCreateAuthority } from '../../../src/ca/index.js';
import { LeafManager } from '../../../src/leaves/index.js';
import type { Mesh } from '../../../src/policy/index.js';
import { addRevocation, loadRevocations } from '../../../src/revocation/index.js';
import { createOutboundIndexes } from '../../../src/server/addresses/index.js';
import { CaChange } from '../../../src/server/ca/index.js';
import { Returning, toCaProxies } from '../../../src/server/ca-proxies.js';
import { ClockWatch, type clockSchema } from '../../../src/server/clock/index.js';
import { authorityChanged, createControl } from '../../../src/server/control.js';
import {
  type DrainRecord,
  type RegistryEntry,
  Roster,
  SidecarRegistry,
} from '../../../src/server/fleet/index.js';
import { GATHER_MS } from '../../../src/server/publishing.js';
import { type RevocationState, ShutOut } from '../../../src/server/revocation/index.js';
import type { NodeId } from '../../../src/spiffe/index.js';
import type { SeenSidecars } from '../../../src/tokens/index.js';
import { generateKeys } from '../../../src/x509/keys/index.js';
import { TYPE_URLS } from '../../../src/xds/index.js';
import { FakeStream, fakeSidecar } from '../../fakes/fake-stream.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { settle } from '../../fakes/settle.js';
import { createStaticEnvoys } from '../../fakes/static-envoys.js';
import { meshOf } from '../../policy/helpers.js';
import { MemoryDataDir } from '../../x509/tools.js';
import { type Held, toHeld, verifies } from './held.js';

const DOMAIN = 'shop.example';
const START_MS = Date.UTC(2026, 0, 1);
const NOTHING_REVOKED: RevocationState = {
  list: new Map(),
  marks: { seen: [], inbound: {}, outbound: {} },
  crls: undefined,
  certificates: [],
};

export const meshIn = (mode: string): Mesh =>
  meshOf(`trustDomain: ${DOMAIN}
services:
  web: {}
  ledger:
    allow: [ { from: [web, anyone] } ]
    ports: { 8080: { protocol: http, mtls: ${mode} } }
  books:
    ports: { 9090: tcp }`);

/** What outlives a server. */
function createDisk() {
  return {
    clock: new ManualClock(START_MS),
    dataDir: new MemoryDataDir(),
    registry: new MemoryStore<readonly RegistryEntry[]>(),
    roster: new MemoryStore<SeenSidecars>(),
    drains: new MemoryStore<readonly DrainRecord[]>(),
    mark: new MemoryStore<z.infer<typeof clockSchema>>(),
    mesh: meshIn('strict'),
  };
}

type Disk = ReturnType<typeof createDisk>;

/** One sidecar, and what it took. */
export class Sidecar {
  readonly peer: FakeStream;
  held: Held | undefined;
  /** It takes nothing. */
  isMute = false;

  constructor(service: string, address: string) {
    this.peer = new FakeStream(fakeSidecar(service, address));
  }

  get node(): NodeId {
    return this.peer.stream.auth.node;
  }
}

/** What a server opens of it. */
async function open(disk: Disk, closers: Closers) {
  const { clock, dataDir } = disk;
  const logger = recordingLogger();
  const random = seededRandom(`fleet ${clock.now()}`);
  const { uptime } = clock;
  const watch = new ClockWatch({ clock, uptime, store: disk.mark, logger, isRight: false });
  await watch.restore();
  closers.defer(() => watch.stop());
  const tools = { dataDir, clock: watch, random };
  const { authority } = await loadOrCreateAuthority({ ...tools, trustDomain: DOMAIN });
  const leaves = new LeafManager({ ...tools, authority, onProblem: () => undefined });
  closers.defer(() => leaves.close());
  const onStoreError = (): void => undefined;
  const registry = new SidecarRegistry({ clock, store: disk.registry, onStoreError });
  await registry.restore();
  closers.defer(() => registry.stop());
  const roster = new Roster({ clock, store: disk.roster, onStoreError });
  await roster.restore();
  const missed = roster.gone().filter(({ missedAtStart }) => missedAtStart === true);
  await leaves.away.recall([...registry.missing(), ...missed.map(({ node }) => node)]);
  return { clock, dataDir, logger, random, watch, authority, leaves, registry, roster };
}

export async function startServer(disk: Disk = createDisk()) {
  const closers = new Closers();
  onTestFinished(() => closers.close());
  const opened = await open(disk, closers);
  const { clock, dataDir, logger, random, watch, authority, leaves, registry, roster } = opened;
  const indexes = await createOutboundIndexes(new MemoryStore());
  await indexes.ensure(disk.mesh.services.values());
  const shutOut = new ShutOut();
  const staticEnvoys = createStaticEnvoys(watch);
  const revocations = new Watch<RevocationState>(NOTHING_REVOKED);
  const control = createControl(
    {
      ...{ clock: watch, logger, authority, leaves, registry, staticEnvoys, indexes },
      ...{ shutOut, revocations },
      ...{ before: disk.mesh, drainStore: disk.drains, drained: disk.drains.value ?? [] },
      storeRollout: async () => undefined,
      remember: async (mesh) => void Object.assign(disk, { mesh }),
    },
    closers,
  );
  const { members, pacing, fleet, drains, rollout } = control;
  members.joined.add(({ auth }) => roster.joined(auth));
  members.left.add(({ auth }) => roster.left(auth));
  const onOver = (): void => pacing.changes.notify();
  const returning = new Returning({ clock, roster, onOver });
  closers.defer(() => returning.stop());
  const isShutOut = (node: NodeId): boolean => shutOut.isRevokedNode(node);
  const paced = { clock: watch, members, registry, staticEnvoys, leaves, isShutOut };
  const proxies = () => toCaProxies(paced, returning.nodes);
  const caChange = new CaChange({
    ...{ authority, dataDir, clock: watch, logger, proxies },
    handedOutEndMs: async () => undefined,
    hold: () => watch.hold,
    onChange: (isUrgent) => authorityChanged(control, leaves, isUrgent),
  });
  closers.defer(() => caChange.stop());
  pacing.changes.add(() => void caChange.advance());
  watch.changes.add(() => {
    leaves.reconsider();
    pacing.changes.notify();
  });
  watch.start();
  caChange.start();
  return {
    ...{ disk, ...opened, drains, rollout, caChange, proxies, fleet, members },
    newChain: (): Promise<CaChain> =>
      createCaChain(DOMAIN, { clock: watch, random, keySource: generateKeys }),
    async stop() {
      await roster.stop();
      await closers.close();
    },
    async revoke(service: string) {
      await addRevocation(dataDir, { kind: 'service', subject: service, revokedAtMs: 0 });
      const list = await loadRevocations(dataDir);
      shutOut.setList(list);
      revocations.set({ ...NOTHING_REVOKED, list });
    },
  };
}

export type Server = Awaited<ReturnType<typeof startServer>>;

/** Making a leaf takes many turns. */
async function settleAll(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await settle();
}

/** Sidecars of a server, over restarts of it. */
export class SimulatedFleet {
  server: Server;
  readonly sidecars: Sidecar[] = [];
  /** Calls that failed though both ends had a certificate in force. */
  readonly failures: string[] = [];

  constructor(server: Server) {
    this.server = server;
  }

  connect(service: string, address: string): Sidecar {
    const sidecar = new Sidecar(service, address);
    this.sidecars.push(sidecar);
    this.server.fleet.onConnect(sidecar.peer.stream);
    return sidecar;
  }

  /** A new stream of it, as after a restart of the server; what it holds stays. */
  reconnect(sidecar: Sidecar): Sidecar {
    const { service, address } = sidecar.peer.stream.auth;
    const next = this.connect(service, address);
    next.held = sidecar.held;
    this.sidecars.splice(this.sidecars.indexOf(sidecar), 1);
    return next;
  }

  disconnect(sidecar: Sidecar): void {
    this.server.fleet.onDisconnect(sidecar.peer.stream);
  }

  /** It takes what it was sent last. */
  take(sidecar: Sidecar): void {
    const { peer } = sidecar;
    if (sidecar.isMute || peer.newest === undefined) return;
    peer.take();
    sidecar.held = toHeld(peer.newest);
    const answer = { kind: 'acked', version: 'v', taken: [] } as const;
    this.server.fleet.onUpdate(peer.stream, { ...answer, typeUrl: TYPE_URLS.listener });
  }

  /** So much time passes, and each sidecar takes what there is, one after the other. */
  async tick(ms = GATHER_MS): Promise<void> {
    await settleAll();
    this.server.clock.advance(ms);
    await settleAll();
    for (const sidecar of this.sidecars) {
      if (!this.server.members.hasNode(sidecar.node)) continue;
      this.take(sidecar);
      this.call();
      await settle();
    }
  }

  async ticks(count: number, ms = GATHER_MS): Promise<void> {
    for (let i = 0; i < count; i++) await this.tick(ms);
  }

  /** Everybody calls everybody, by the real time. */
  call(): void {
    const atMs = START_MS + this.server.clock.uptime.ms();
    for (const caller of this.sidecars) {
      for (const callee of this.sidecars) {
        const failure = verifies(caller.held, callee.held, atMs);
        if (failure !== undefined) this.failures.push(`${caller.node} ${callee.node}: ${failure}`);
      }
    }
  }

  expectNoFailure(): void {
    expect(this.failures).toEqual([]);
  }
}
