// Which names are asked for, over all streams, and by whom: a name is announced when the first
// stream asks for it, and released when the last one has given it up or gone. A change of a name
// concerns those who ask for it and no others.
import { collectionOf, isGlob } from '../glob.js';
import type { ResourceRef } from '../resource.js';
import type { CacheStream } from './stream.js';

export interface DemandHooks {
  onDemand?(wanted: ResourceRef): void;
  onRelease?(unwanted: ResourceRef): void;
}

interface Asked {
  readonly names: ReadonlySet<string>;
  readonly wildcard: boolean;
}

const NOTHING: Asked = { names: new Set(), wildcard: false };
const WILDCARD = '*';

export class Demand<S extends CacheStream> {
  readonly #hooks: DemandHooks;
  /**
   * What each stream was last seen to ask for. The sets are the sessions' own, which never change.
   */
  readonly #asked = new Map<S, Map<string, Asked>>();
  /** By type and name (`*` for all, a glob in its canonical spelling): who asks. */
  readonly #followers = new Map<string, Map<string, Set<S>>>();

  constructor(hooks: DemandHooks) {
    this.#hooks = hooks;
  }

  connect(stream: S): void {
    this.#asked.set(stream, new Map());
  }

  /** The stream is about to ask for these names too; again, where it does already. */
  announce(stream: S, typeUrl: string, names: readonly string[]): void {
    const before = this.#asked.get(stream)?.get(typeUrl) ?? NOTHING;
    const wanted = names.filter((name) => name !== WILDCARD);
    if (wanted.length === 0) return;
    this.#replace(stream, typeUrl, { ...before, names: new Set([...before.names, ...wanted]) });
    for (const name of wanted) {
      if (before.names.has(name)) this.#hooks.onDemand?.({ typeUrl, name });
    }
  }

  /** Looks again at what the stream asks of that type. */
  update(stream: S, typeUrl: string): void {
    const report = stream.state().find((one) => one.typeUrl === typeUrl);
    const { names, wildcard = false } = report ?? NOTHING;
    this.#replace(stream, typeUrl, { names, wildcard });
  }

  disconnect(stream: S): void {
    for (const typeUrl of [...(this.#asked.get(stream)?.keys() ?? [])]) {
      this.#replace(stream, typeUrl, NOTHING);
    }
    this.#asked.delete(stream);
  }

  /** Whoever one of these names concerns. */
  followers(typeUrl: string, names: Iterable<string>): ReadonlySet<S> {
    const byName = this.#followers.get(typeUrl);
    const found = new Set<S>(byName?.get(WILDCARD));
    if (byName === undefined) return found;
    for (const name of names) {
      for (const stream of byName.get(name) ?? []) found.add(stream);
      for (const stream of byName.get(collectionOf(name)) ?? []) found.add(stream);
    }
    return found;
  }

  #replace(stream: S, typeUrl: string, now: Asked): void {
    const asked = this.#asked.get(stream);
    const before = asked?.get(typeUrl) ?? NOTHING;
    if (asked === undefined) return;
    if (before.wildcard !== now.wildcard) {
      this.#count(stream, { typeUrl, name: WILDCARD }, now.wildcard);
    }
    asked.set(typeUrl, now);
    if (before.names === now.names) return;
    const refs = (names: ReadonlySet<string>, others: ReadonlySet<string>) =>
      [...names].filter((name) => !others.has(name)).map((name) => ({ typeUrl, name }));
    const wanted = refs(now.names, before.names).filter((ref) => this.#count(stream, ref, true));
    const unwanted = refs(before.names, now.names).filter((ref) => this.#count(stream, ref, false));
    // Told once the books are right: a hook may change the cache, or throw.
    for (const ref of wanted) this.#hooks.onDemand?.(ref);
    for (const ref of unwanted) this.#hooks.onRelease?.(ref);
  }

  /** Whether the stream is the first to ask, or was the last. */
  #count(stream: S, { typeUrl, name }: ResourceRef, asks: boolean): boolean {
    const byName = this.#followers.get(typeUrl) ?? new Map<string, Set<S>>();
    this.#followers.set(typeUrl, byName);
    const key = isGlob(name) ? collectionOf(name) : name;
    const streams = byName.get(key) ?? new Set<S>();
    byName.set(key, streams);
    if (asks) return streams.add(stream).size === 1;
    streams.delete(stream);
    if (streams.size > 0) return false;
    byName.delete(key);
    if (byName.size === 0) this.#followers.delete(typeUrl);
    return true;
  }
}
