// The connected sidecars are the registry: a sidecar that has acknowledged its listeners is an
// endpoint of its service; when its stream has been gone for longer than the grace, it no longer
// is, and soon after where enough others can be called (absence.ts). The grace keeps a restarting
// server, or a moment's loss of the control connection, from emptying anybody's endpoints; the
// table is stored, and after a start every endpoint has the grace to come back.
import { z } from 'zod';
import { type Clock, Listeners, MINUTE_MS, Watch } from '../../base/index.js';
import type { JsonStore } from '../../data/index.js';
import type { ServiceName } from '../../policy/index.js';
import { isNodeId, type NodeId } from '../../spiffe/index.js';
import type { Registry, SidecarEndpoint } from '../../translate/index.js';
import { ADDRESS_PROOFS, type AddressProof } from '../addresses/index.js';
import { isCovered, startAbsence } from './absence.js';
import { stronger } from './address-contest.js';
import { type Held, HeldTable, type SidecarKey } from './held-table.js';
import { tooMany } from './instance-limits.js';
import { Rivals } from './rivals.js';

/** How long a sidecar that lost its stream stays an endpoint. */
export const GONE_GRACE_MS = 10_000;
/** The same after a start of the server: Envoy's reconnect backs off to 30 s. */
export const START_GRACE_MS = MINUTE_MS;

export interface RegistryEntry extends Omit<SidecarKey, 'isStatic'> {
  readonly service: ServiceName;
  /** What vouches for the address; absent: its own word. */
  readonly proof?: AddressProof | undefined;
  /** Its service has a port, so that its address matters; absent: it has. */
  readonly serves?: boolean | undefined;
  /** Its listeners that can't bind their address; absent: none. */
  readonly unbound?: readonly string[] | undefined;
}

const isText = (value: unknown): boolean => typeof value === 'string';

export const registrySchema = z.array(
  z.strictObject({
    node: z.string().refine(isNodeId),
    service: z.custom<ServiceName>(isText),
    address: z.string(),
    proof: z.enum(ADDRESS_PROOFS).optional(),
    serves: z.boolean().optional(),
    unbound: z.array(z.string()).optional(),
  }),
);

export interface RegistryOptions {
  readonly clock: Clock;
  readonly store: JsonStore<readonly RegistryEntry[]>;
  /** How many sidecars a service may have at once; default: any number. */
  readonly maxPerService?: number | undefined;
  /** @throws MeshError where that can't be a sidecar's address. */
  readonly assertAddress?: (address: string) => void;
  /** What was stored has such an address. */
  readonly onLeftOut?: (entry: RegistryEntry, error: unknown) => void;
  /** A write failed; the table in memory goes on. */
  readonly onStoreError: (error: unknown) => void;
}

export class SidecarRegistry {
  static readonly startGraceMs = START_GRACE_MS;
  readonly #options: RegistryOptions;
  readonly #held = new HeldTable();
  readonly #rivals = new Rivals(this.#held);
  #drained: ReadonlySet<NodeId> = new Set();
  /** Ready endpoints by service; a new map at each change. */
  readonly endpoints = new Watch<Registry>(new Map());
  /** How many nodes have gone for good: whoever waits for a missing one looks again. */
  readonly departed = new Watch(0);
  /** An address may have become free: its sidecar has no stream any more, or is gone for good. */
  readonly freed = new Listeners();

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** Takes up the stored endpoints, each with the grace to come back. */
  async restore(): Promise<void> {
    for (const entry of (await this.#options.store.read()) ?? []) {
      if (!isPossible(entry, this.#options)) continue;
      const held = toHeld(entry, this.#held.toDeclared);
      this.#held.set(held);
      this.#startGrace(held, START_GRACE_MS);
    }
    this.#publish();
  }

  /**
   * A stream of the node opens. `serves` false: it has no port, so nobody calls its address.
   * @returns Those that had the address until now and prove it less: they are gone from here.
   * @throws MeshError address-in-use where another sidecar keeps the address; instance-limit
   */
  open(proved: RegistryEntry, serves: boolean): readonly SidecarKey[] {
    const entry = this.#labelled(proved);
    const displaced = serves ? this.#rivals.displacedBy(entry) : [];
    this.#assertRoom(entry);
    for (const held of displaced) this.#remove(held);
    const old = this.#held.get(entry);
    old?.cancelGrace?.();
    this.#held.set(toOpened(entry, { named: proved.service, serves, old }));
    this.#publish();
    return displaced;
  }

  /**
   * The mesh has changed: the service has a port now, or none any more.
   * @returns and throws as `open` does
   */
  serve(proved: RegistryEntry, serves: boolean): readonly SidecarKey[] {
    const held = this.#held.get(proved);
    if (held === undefined || held.serves === serves) return [];
    const displaced = serves ? this.#rivals.displacedBy(this.#labelled(proved)) : [];
    held.serves = serves;
    for (const other of displaced) this.#remove(other);
    return displaced;
  }

  /**
   * The node has its listeners, but for those that can't bind their address: it is an endpoint from
   * now on, through the others.
   */
  markReady(sidecar: SidecarKey, unbound: readonly string[] = []): void {
    const held = this.#held.get(sidecar);
    if (held === undefined) return;
    if (held.ready && isSameList(held.unbound, unbound)) return;
    held.ready = true;
    held.unbound = unbound;
    this.#publish();
    this.#store();
  }

  /**
   * These aren't ready until they say so again: their listeners were withdrawn, they are new
   * Envoys, or they are about to be stopped.
   */
  unready(which: (sidecar: SidecarKey) => boolean): void {
    for (const held of this.#held) if (which(held)) held.ready = false;
    this.#publish();
    this.#store();
  }

  /** These are no endpoints, ready or not. */
  setDrained(nodes: ReadonlySet<NodeId>): void {
    this.#drained = nodes;
    this.#publish();
  }

  /** Services have other names now. */
  relabel(toDeclared: (name: ServiceName) => ServiceName): void {
    this.#held.relabel(toDeclared);
    this.#publish();
  }

  #labelled(entry: RegistryEntry): RegistryEntry {
    return { ...entry, service: this.#held.toDeclared(entry.service) };
  }

  /** Nodes of a service that are called. */
  nodesOf(name: ServiceName): readonly NodeId[] {
    const isOf = ({ service }: Held): boolean => service === this.#held.toDeclared(name);
    return this.#serving().filter(isOf).map(toNode);
  }

  /** A stream of the node ended. */
  close(sidecar: SidecarKey): void {
    const held = this.#held.get(sidecar);
    if (held === undefined) return;
    held.streams = Math.max(0, held.streams - 1);
    if (held.streams > 0) return;
    this.#startGrace(held, GONE_GRACE_MS);
    this.freed.notify();
  }

  /** Whether it is there already, or may come back within its grace. */
  has(sidecar: SidecarKey): boolean {
    return this.#held.get(sidecar) !== undefined;
  }

  /** Services that have as many sidecars as they may have. */
  full(): readonly ServiceName[] {
    const { maxPerService = Number.POSITIVE_INFINITY } = this.#options;
    const counts = [...this.#held.counts];
    return counts.filter(([, count]) => count >= maxPerService).map(([service]) => service);
  }

  #assertRoom(entry: RegistryEntry): void {
    const { maxPerService = Number.POSITIVE_INFINITY } = this.#options;
    if (this.has(entry) || (this.#held.counts.get(entry.service) ?? 0) < maxPerService) return;
    throw tooMany(`of service "${entry.service}"`, maxPerService);
  }

  /** They stop being endpoints at once, without a grace: they are shut out. */
  evict(predicate: (entry: RegistryEntry) => boolean): void {
    const evicted = [...this.#held].filter(predicate);
    for (const held of evicted) this.#remove(held);
  }

  /** Nodes that were there before and have no stream now. */
  missing(): readonly NodeId[] {
    return [...this.#held].filter(({ streams }) => streams === 0).map(({ node }) => node);
  }

  /** Ends all timers. */
  stop(): void {
    for (const held of this.#held) held.cancelGrace?.();
  }

  /**
   * The node that keeps this one from its address: connected, or gone for less than its grace, in
   * which it is still called there.
   */
  holderOf(entry: RegistryEntry): NodeId | undefined {
    return this.#rivals.keeperOf(this.#labelled(entry))?.node;
  }

  #remove(held: Held): void {
    held.cancelGrace?.();
    this.#held.delete(held);
    this.#publish();
    this.#store();
    this.departed.set(this.departed.value + 1);
    this.freed.notify();
  }

  #startGrace(held: Held, graceMs: number): void {
    held.cancelGrace?.();
    held.cancelGrace = startAbsence({
      ...{ clock: this.#options.clock, graceMs },
      isAbsent: () => this.#held.get(held) === held && held.streams === 0,
      onAway: () => this.#leaveOut(held),
      onGone: () => {
        this.#rivals.gone(held);
        this.#remove(held);
      },
    });
  }

  /** Others are called instead, where there are enough; not of one from before we started. */
  #leaveOut(held: Held): void {
    if (held.isStored || !isCovered(this.#held, held)) return;
    held.away = true;
    this.#publish();
    this.#store();
  }

  #serving(): Held[] {
    const drained = this.#drained;
    return [...this.#held].filter(({ ready, away, node }) => ready && !away && !drained.has(node));
  }

  #publish(): void {
    this.endpoints.set(toEndpoints(this.#serving(), this.endpoints.value));
  }

  #store(): void {
    const entries = [...this.#held].filter(({ ready, away }) => ready && !away);
    this.#options.store.write(entries.map(toStored)).catch(this.#options.onStoreError);
  }
}

function isPossible(entry: RegistryEntry, { assertAddress, onLeftOut }: RegistryOptions): boolean {
  try {
    assertAddress?.(entry.address);
    return true;
  } catch (error) {
    onLeftOut?.(entry, error);
    return false;
  }
}

/** With one stream more. */
function toOpened(
  entry: RegistryEntry,
  { named, serves, old }: Pick<Held, 'named' | 'serves'> & { readonly old: Held | undefined },
): Held {
  return {
    ...{ ...entry, named, serves },
    proof: stronger(entry.proof ?? 'claimed', old?.proof ?? 'claimed'),
    unbound: old?.unbound ?? [],
    streams: (old?.streams ?? 0) + 1,
    isStored: false,
    ready: old?.ready === true,
    away: false,
    cancelGrace: undefined,
  };
}

function toNode({ node }: Held): NodeId {
  return node;
}

/** As it is stored. */
function toStored({ node, named, address, proof, serves, unbound }: Held): RegistryEntry {
  const vouched = proof === 'claimed' ? {} : { proof };
  const entry = { node, service: named, address, ...vouched, serves };
  return unbound.length === 0 ? entry : { ...entry, unbound };
}

/** As it was stored. */
function toHeld(entry: RegistryEntry, toDeclared: (name: ServiceName) => ServiceName): Held {
  return {
    ...{ ...entry, named: entry.service, service: toDeclared(entry.service) },
    proof: entry.proof ?? 'claimed',
    serves: entry.serves ?? true,
    unbound: entry.unbound ?? [],
    streams: 0,
    isStored: true,
    ready: true,
    away: false,
    cancelGrace: undefined,
  };
}

/** By service, ordered by address; where nothing changed for a service, its list of before. */
function toEndpoints(serving: readonly Held[], before: Registry): Registry {
  const byService = new Map<ServiceName, SidecarEndpoint[]>();
  const held = [...serving];
  held.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  for (const { service, address, unbound } of held) {
    const list = byService.get(service) ?? [];
    if (list.at(-1)?.address !== address) list.push(toEndpoint(address, unbound));
    byService.set(service, list);
  }
  return keepUnchanged(before, byService);
}

/** `next` with the lists of `old` where they are equal, and `old` itself where all are. */
function keepUnchanged(old: Registry, next: Map<ServiceName, SidecarEndpoint[]>): Registry {
  const result = new Map<ServiceName, readonly SidecarEndpoint[]>();
  let same = old.size === next.size;
  for (const [service, list] of next) {
    const before = old.get(service);
    const equal =
      before?.length === list.length && list.every((one, i) => isSameEndpoint(one, before[i]));
    result.set(service, equal && before !== undefined ? before : list);
    same &&= equal;
  }
  return same ? old : result;
}

function toEndpoint(address: string, unbound: readonly string[]): SidecarEndpoint {
  return unbound.length === 0 ? { address } : { address, unbound };
}

function isSameEndpoint(one: SidecarEndpoint, other: SidecarEndpoint | undefined): boolean {
  return one.address === other?.address && isSameList(one.unbound ?? [], other.unbound ?? []);
}

function isSameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((item, i) => item === other[i]);
}
