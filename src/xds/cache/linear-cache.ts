// Resources that come and go one at a time, of any types, the same for all streams; what a client
// gets of them is what it asks for. With `onDemand`, a resource need not be there before somebody
// asks for its name.
import type { Cancel } from '../../base/index.js';
import {
  createResourceSet,
  EMPTY_SET,
  type Resource,
  type ResourceRef,
  type Snapshot,
} from '../resource.js';
import { Demand } from './demand.js';
import type { CacheHooks, CacheStream } from './stream.js';

export interface LinearCacheOptions {
  /**
   * A name that the cache lacks is asked for, by the first stream that does; `set` it once it is
   * known. Until then delta clients hear that it doesn't exist, and SotW clients hear nothing.
   */
  readonly onDemand?: (wanted: ResourceRef) => void;
  /**
   * No stream asks for that name any more: it may be deleted. Wildcard streams ask for no names.
   */
  readonly onRelease?: (unwanted: ResourceRef) => void;
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
  /** Adds or replaces a resource, for all streams. Equal content isn't sent again. */
  set(typeUrl: string, resource: Resource): void;
  /** Takes a resource away; does nothing where there is none of that name. */
  delete(typeUrl: string, name: string): void;
  /** Several changes of one type at once: each stream gets one response. */
  update(typeUrl: string, change: LinearChange): void;
  get(typeUrl: string, name: string): Resource | undefined;
  /** All that is in the cache now. */
  snapshot(): Snapshot;
  /** Calls `listener` after each change until cancelled. */
  onChange(listener: (typeUrl: string) => void): Cancel;
}

export function createLinearCache<S extends CacheStream>(
  options: LinearCacheOptions = {},
): LinearCache<S> {
  return new Linear(options);
}

class Linear<S extends CacheStream> implements LinearCache<S> {
  readonly hooks: CacheHooks<S>;
  #snapshot: Snapshot = new Map();
  readonly #streams = new Set<S>();
  readonly #listeners = new Set<(typeUrl: string) => void>();

  constructor({ onDemand, onRelease }: LinearCacheOptions) {
    const demand = new Demand<S>({
      onDemand: (wanted) => {
        if (this.get(wanted.typeUrl, wanted.name) === undefined) onDemand?.(wanted);
      },
      onRelease: (unwanted) => onRelease?.(unwanted),
    });
    this.hooks = {
      onConnect: (stream) => {
        this.#streams.add(stream);
        demand.connect(stream);
        stream.setSnapshot(this.#snapshot);
      },
      onUpdate: (stream, { typeUrl }) => demand.update(stream, typeUrl),
      onDisconnect: (stream) => {
        this.#streams.delete(stream);
        demand.disconnect(stream);
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
    const before = this.#snapshot.get(typeUrl) ?? EMPTY_SET;
    const next = new Map(before.resources);
    let changed = change.version !== undefined && change.version !== before.version;
    for (const name of change.delete ?? []) changed = next.delete(name) || changed;
    for (const resource of change.set ?? []) {
      changed ||= next.get(resource.name) !== resource;
      next.set(resource.name, resource);
    }
    if (!changed) return;
    const set = createResourceSet(next.values(), change.version);
    this.#snapshot = new Map(this.#snapshot).set(typeUrl, set);
    for (const stream of [...this.#streams]) stream.setSnapshot(this.#snapshot);
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
}
