// The connected sidecars are the registry: a sidecar that has acknowledged its listeners is an
// endpoint of its service; when its stream has been gone for longer than the grace, it no longer
// is. The grace keeps a restarting server, or a moment's loss of the control connection, from
// emptying anybody's endpoints; the table is stored, and after a start every endpoint has the grace
// to come back.
import { z } from 'zod';
import { type Clock, MeshError, MINUTE_MS, Watch } from '../../base/index.js';
import type { JsonStore } from '../../data/index.js';
import type { ServiceName } from '../../policy/index.js';
import { isNodeId, type NodeId } from '../../spiffe/index.js';
import type { Registry, SidecarEndpoint } from '../../translate/index.js';

/** How long a sidecar that lost its stream stays an endpoint. */
export const GONE_GRACE_MS = 10_000;
/** The same after a start of the server: Envoy's reconnect backs off to 30 s. */
export const START_GRACE_MS = MINUTE_MS;

/** A sidecar at an address; two that share an instance name are still two. */
export type SidecarKey = Pick<RegistryEntry, 'node' | 'address'>;

export function toKey({ node, address }: SidecarKey): string {
  return `${node}@${address}`;
}

export interface RegistryEntry {
  readonly node: NodeId;
  readonly service: ServiceName;
  readonly address: string;
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
    serves: z.boolean().optional(),
    unbound: z.array(z.string()).optional(),
  }),
);

interface Held extends RegistryEntry {
  serves: boolean;
  unbound: readonly string[];
  /** Streams of this node that are open. */
  streams: number;
  /** Acknowledged its listeners at least once: an endpoint. */
  ready: boolean;
  cancelGrace: (() => void) | undefined;
}

export interface RegistryOptions {
  readonly clock: Clock;
  readonly store: JsonStore<readonly RegistryEntry[]>;
  /** A write failed; the table in memory goes on. */
  readonly onStoreError: (error: unknown) => void;
}

export class SidecarRegistry {
  readonly #options: RegistryOptions;
  readonly #held = new Map<string, Held>();
  #drained: ReadonlySet<NodeId> = new Set();
  /** Ready endpoints by service; a new map at each change. */
  readonly endpoints = new Watch<Registry>(new Map());
  /** How many nodes have gone for good: whoever waits for a missing one looks again. */
  readonly departed = new Watch(0);

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** Takes up the stored endpoints, each with the grace to come back. */
  async restore(): Promise<void> {
    for (const entry of (await this.#options.store.read()) ?? []) {
      const held: Held = {
        ...entry,
        serves: entry.serves ?? true,
        unbound: entry.unbound ?? [],
        streams: 0,
        ready: true,
        cancelGrace: undefined,
      };
      this.#held.set(toKey(entry), held);
      this.#startGrace(held, START_GRACE_MS);
    }
    this.#publish();
  }

  /**
   * A stream of the node opens. `serves` false: it has no port, so nobody calls its address.
   * @throws MeshError address-in-use where a sidecar of another service has the address.
   */
  open(entry: RegistryEntry, serves: boolean): void {
    if (serves) this.#refuseConflict(entry);
    const old = this.#held.get(toKey(entry));
    old?.cancelGrace?.();
    this.#held.set(toKey(entry), {
      ...entry,
      serves,
      unbound: old?.unbound ?? [],
      streams: (old?.streams ?? 0) + 1,
      ready: old?.ready === true,
      cancelGrace: undefined,
    });
    this.#publish();
  }

  /**
   * The node has its listeners, but for those that can't bind their address: it is an endpoint from
   * now on, through the others.
   */
  markReady(sidecar: SidecarKey, unbound: readonly string[] = []): void {
    const held = this.#held.get(toKey(sidecar));
    if (held === undefined) return;
    if (held.ready && isSameList(held.unbound, unbound)) return;
    held.ready = true;
    held.unbound = unbound;
    this.#publish();
    this.#store();
  }

  /** It isn't ready until it says so again: its listeners were withdrawn, or it is a new Envoy. */
  unready(node: NodeId): void {
    for (const held of this.#held.values()) if (held.node === node) held.ready = false;
    this.#publish();
    this.#store();
  }

  /** These are no endpoints, ready or not. */
  setDrained(nodes: ReadonlySet<NodeId>): void {
    this.#drained = nodes;
    this.#publish();
  }

  /** Nodes of a service that are called. */
  nodesOf(service: ServiceName): readonly NodeId[] {
    return this.#serving()
      .filter((held) => held.service === service)
      .map(({ node }) => node);
  }

  /** A stream of the node ended. */
  close(sidecar: SidecarKey): void {
    const held = this.#held.get(toKey(sidecar));
    if (held === undefined) return;
    held.streams = Math.max(0, held.streams - 1);
    if (held.streams === 0) this.#startGrace(held, GONE_GRACE_MS);
  }

  /** They stop being endpoints at once, without a grace: they are shut out. */
  evict(predicate: (entry: RegistryEntry) => boolean): void {
    const evicted = [...this.#held.values()].filter(predicate);
    for (const held of evicted) {
      held.cancelGrace?.();
      this.#remove(held);
    }
  }

  /** Nodes that were there before and have no stream now. */
  missing(): readonly NodeId[] {
    return [...this.#held.values()].filter(({ streams }) => streams === 0).map(({ node }) => node);
  }

  /** Ends all timers. */
  stop(): void {
    for (const held of this.#held.values()) held.cancelGrace?.();
  }

  /**
   * The node that serves another service at that address: connected, or gone for less than its
   * grace, in which it is still called there.
   */
  holderOf({ address, service }: RegistryEntry): string | undefined {
    const others = [...this.#held.values()].filter(
      (held) => held.serves && held.address === address && held.service !== service,
    );
    return others[0]?.node;
  }

  #refuseConflict(entry: RegistryEntry): void {
    if (this.holderOf(entry) === undefined) return;
    throw new MeshError(
      'address-in-use',
      `address ${entry.address} is in use by a sidecar of another service`,
    );
  }

  #remove(held: Held): void {
    this.#held.delete(toKey(held));
    this.#publish();
    this.#store();
    this.departed.set(this.departed.value + 1);
  }

  #startGrace(held: Held, graceMs: number): void {
    held.cancelGrace?.();
    held.cancelGrace = this.#options.clock.after(graceMs, () => {
      if (this.#held.get(toKey(held)) !== held || held.streams > 0) return;
      this.#remove(held);
    });
  }

  #serving(): Held[] {
    return [...this.#held.values()].filter(({ ready, node }) => ready && !this.#drained.has(node));
  }

  #publish(): void {
    const byService = new Map<ServiceName, SidecarEndpoint[]>();
    const held = this.#serving();
    held.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
    for (const { service, address, unbound } of held) {
      const list = byService.get(service) ?? [];
      if (list.at(-1)?.address !== address) list.push(toEndpoint(address, unbound));
      byService.set(service, list);
    }
    this.endpoints.set(keepUnchanged(this.endpoints.value, byService));
  }

  #store(): void {
    const entries = [...this.#held.values()]
      .filter(({ ready }) => ready)
      .map(({ node, service, address, serves, unbound }) => {
        const entry = { node, service, address, serves };
        return unbound.length === 0 ? entry : { ...entry, unbound };
      });
    this.#options.store.write(entries).catch(this.#options.onStoreError);
  }
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
