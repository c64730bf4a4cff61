// Resources that come and go one at a time, of any types, the same for all streams; what a client
// gets of them is what it asks for. With `onDemand`, a resource need not be there before somebody
// asks for its name.
import { type Cancel, type Clock, systemClock } from '../../base/index.js';
import type { Request } from '../request.js';
import type { Resource, ResourceRef, Snapshot } from '../resource.js';
import { Demand } from './demand.js';
import { Lookups } from './lookups.js';
import { EMPTY_STORE, putIn, type Store, takeFrom, toSet } from './store.js';
import type { CacheHooks, CacheStream } from './stream.js';
import { View } from './views.js';

export interface LinearCacheOptions<S extends CacheStream> {
  /**
   * A name that the cache lacks is asked for, by the first stream that does, or by one that asks
   * again: `set` it now, or later. Delta clients hear that it doesn't exist once this has returned,
   * or where it returns a promise, once that has settled or `onDemandTimeoutMs` is over. SotW has
   * no words for it: those clients hear nothing.
   */
  readonly onDemand?: (wanted: ResourceRef) => void;
  /**
   * No stream asks for that name any more: it may be deleted. Wildcard streams ask for no names.
   */
  readonly onRelease?: (unwanted: ResourceRef) => void;
  /**
   * How long an answer waits for `onDemand`; default 4 s, since Envoy gives a cluster that it asks
   * for on demand 5 s.
   */
  readonly onDemandTimeoutMs?: number;
  /**
   * Whether a stream that asks for everything gets that resource; what it asks for by name it gets
   * in any case. Default: yes. Asked again only where the resource has changed.
   */
  readonly wildcard?: (stream: S, resource: ResourceRef) => boolean;
  /** Default: the system's. */
  readonly clock?: Clock;
}

export interface LinearChange {
  readonly set?: Iterable<Resource>;
  readonly delete?: Iterable<string>;
  /**
   * Of the type from now on (version_info, system_version_info). Default: a hash over its
   * resources.
   */
  readonly version?: string;
}

export interface LinearCache<S extends CacheStream> {
  /** For `attachDiscovery`. */
  readonly hooks: CacheHooks<S>;
  /**
   * Adds or replaces a resource, for all streams. Equal content isn't sent again. Throws MeshError
   * `resource-limit`, and changes nothing, where a client couldn't come back with all that it would
   * have (`maxRequestBytes`).
   */
  set(typeUrl: string, resource: Resource): void;
  /** Takes a resource away; does nothing where there is none of that name. */
  delete(typeUrl: string, name: string): void;
  /** Several changes of one type at once: each stream gets one response. Throws as `set` does. */
  update(typeUrl: string, change: LinearChange): void;
  get(typeUrl: string, name: string): Resource | undefined;
  /** All that is in the cache now. */
  snapshot(): Snapshot;
  /** Calls `listener` after each change until cancelled. */
  onChange(listener: (typeUrl: string) => void): Cancel;
}

export function createLinearCache<S extends CacheStream>(
  options: LinearCacheOptions<S> = {},
): LinearCache<S> {
  return new Linear(options);
}

const DEFAULT_TIMEOUT_MS = 4_000;
/** Streams that a change brings up to date though it doesn't concern them. */
const CAUGHT_UP = 2;

class Linear<S extends CacheStream> implements LinearCache<S> {
  readonly hooks: CacheHooks<S>;
  #snapshot: Snapshot = new Map();
  readonly #stores = new Map<string, Store>();
  /**
   * By stream the snapshot that it has; who has had his for longest comes first. What doesn't
   * concern a stream doesn't reach it at once: all of them would be the cost of each change.
   */
  readonly #given = new Map<S, Snapshot>();
  readonly #views = new Map<S, View>();
  readonly #demand: Demand<S>;
  readonly #lookups: Lookups<S>;
  readonly #started: Promise<unknown>[] = [];
  readonly #options: LinearCacheOptions<S>;
  readonly #listeners = new Set<(typeUrl: string) => void>();

  constructor(options: LinearCacheOptions<S>) {
    const { clock = systemClock, onDemandTimeoutMs: timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    this.#options = options;
    this.#lookups = new Lookups({ clock, timeoutMs });
    this.#demand = new Demand<S>({
      onDemand: (wanted) => this.#lookUp(wanted),
      onRelease: (unwanted) => options.onRelease?.(unwanted),
    });
    this.hooks = {
      onConnect: (stream) => this.#connect(stream),
      onRequest: (stream, request) => this.#announce(stream, request),
      onUpdate: (stream, { typeUrl }) => {
        this.#catchUp(stream);
        this.#demand.update(stream, typeUrl);
        return this.#begun();
      },
      onDisconnect: (stream) => {
        this.#given.delete(stream);
        this.#views.delete(stream);
        this.#demand.disconnect(stream);
        this.#lookups.disconnect(stream);
      },
    };
  }

  set(typeUrl: string, resource: Resource): void {
    this.update(typeUrl, { set: [resource] });
  }

  delete(typeUrl: string, name: string): void {
    this.update(typeUrl, { delete: [name] });
  }

  update(typeUrl: string, change: LinearChange): void {
    const before = this.#snapshot.get(typeUrl);
    const { store, names } = applyChange(this.#stores.get(typeUrl) ?? EMPTY_STORE, change);
    const isNamed = change.version !== undefined && change.version !== before?.version;
    if (names.size === 0 && !isNamed) return;
    const set = toSet(store, change.version);
    const snapshot = new Map(this.#snapshot).set(typeUrl, set);
    // Whoever sees a part of the type gets to know a version that is given, too.
    const isForAll = set.versionGiven === true || before?.versionGiven === true;
    const streams = isForAll ? [...this.#given.keys()] : this.#demand.followers(typeUrl, names);
    for (const stream of streams) stream.checkSnapshot?.(this.#viewOf(stream, snapshot));
    this.#stores.set(typeUrl, store);
    this.#snapshot = snapshot;
    for (const stream of streams) this.#catchUp(stream);
    for (const stream of [...take(this.#given.keys(), CAUGHT_UP)]) this.#catchUp(stream);
    for (const listener of [...this.#listeners]) listener(typeUrl);
  }

  get(typeUrl: string, name: string): Resource | undefined {
    return this.#snapshot.get(typeUrl)?.resources.get(name);
  }

  snapshot(): Snapshot {
    return this.#snapshot;
  }

  onChange(listener: (typeUrl: string) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #connect(stream: S): void {
    const { wildcard } = this.#options;
    if (wildcard !== undefined) {
      this.#views.set(stream, new View((resource) => wildcard(stream, resource)));
    }
    this.#demand.connect(stream);
    this.#give(stream);
  }

  /** Whoever says what exists when a name is asked for gets to say it before the answer. */
  #announce(stream: S, { typeUrl, interest }: Request): Promise<unknown> | undefined {
    this.#catchUp(stream);
    if (interest.variant !== 'delta' || interest.subscribe.length === 0) return undefined;
    this.#demand.announce(stream, typeUrl, interest.subscribe);
    for (const name of interest.subscribe) this.#lookups.wait(stream, { typeUrl, name });
    return this.#begun();
  }

  /** What has begun since, for whoever calls the hook: a failure is logged there. */
  #begun(): Promise<unknown> | undefined {
    const started = this.#started.splice(0);
    return started.length === 0 ? undefined : Promise.all(started);
  }

  #lookUp(wanted: ResourceRef): void {
    const { onDemand } = this.#options;
    if (this.get(wanted.typeUrl, wanted.name) !== undefined) return;
    if (onDemand === undefined || this.#lookups.isRunning(wanted)) return;
    const work: unknown = onDemand(wanted);
    if (!(work instanceof Promise)) return;
    this.#lookups.start(wanted, work);
    this.#started.push(work);
  }

  /** Gives the stream what there is now, where it has an older snapshot. */
  #catchUp(stream: S): void {
    const given = this.#given.get(stream);
    if (given !== undefined && given !== this.#snapshot) this.#give(stream);
  }

  #give(stream: S): void {
    this.#given.delete(stream);
    this.#given.set(stream, this.#snapshot);
    stream.setSnapshot(this.#viewOf(stream, this.#snapshot));
  }

  #viewOf(stream: S, snapshot: Snapshot): Snapshot {
    return this.#views.get(stream)?.of(snapshot) ?? snapshot;
  }
}

/** The store after the change, and the names that it concerns. */
function applyChange(
  before: Store,
  change: LinearChange,
): { readonly store: Store; readonly names: ReadonlySet<string> } {
  let store = before;
  const names = new Set<string>();
  for (const name of change.delete ?? []) {
    const left = takeFrom(store, name);
    if (left !== store) names.add(name);
    store = left;
  }
  for (const resource of change.set ?? []) {
    if (store.tree.get(resource.name) === resource) continue;
    names.add(resource.name);
    store = putIn(store, resource);
  }
  return { store, names };
}

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left-- <= 0) return;
    yield item;
  }
}
