// Which names are asked for, over all streams: a name is announced when the first stream asks for
// it, and released when the last one has given it up or gone.
import type { ResourceRef } from '../resource.js';
import type { CacheStream } from './stream.js';

export interface DemandHooks {
  onDemand?(wanted: ResourceRef): void;
  onRelease?(unwanted: ResourceRef): void;
}

const NO_NAMES: ReadonlySet<string> = new Set();

export class Demand<S extends CacheStream> {
  readonly #hooks: DemandHooks;
  /**
   * What each stream was last seen to ask for. The sets are the sessions' own, which never change.
   */
  readonly #asked = new Map<S, Map<string, ReadonlySet<string>>>();
  /** By type and name, how many streams ask. */
  readonly #counts = new Map<string, Map<string, number>>();

  constructor(hooks: DemandHooks) {
    this.#hooks = hooks;
  }

  connect(stream: S): void {
    this.#asked.set(stream, new Map());
  }

  /** Looks again at what the stream asks of that type. */
  update(stream: S, typeUrl: string): void {
    const names = stream.state().find((report) => report.typeUrl === typeUrl)?.names;
    this.#replace(stream, typeUrl, names ?? NO_NAMES);
  }

  disconnect(stream: S): void {
    for (const typeUrl of [...(this.#asked.get(stream)?.keys() ?? [])]) {
      this.#replace(stream, typeUrl, NO_NAMES);
    }
    this.#asked.delete(stream);
  }

  #replace(stream: S, typeUrl: string, names: ReadonlySet<string>): void {
    const asked = this.#asked.get(stream);
    const before = asked?.get(typeUrl) ?? NO_NAMES;
    if (asked === undefined || before === names) return;
    asked.set(typeUrl, names);
    const counts = this.#counts.get(typeUrl) ?? new Map<string, number>();
    this.#counts.set(typeUrl, counts);
    const wanted = [...names].filter((name) => !before.has(name));
    const unwanted = [...before].filter((name) => !names.has(name));
    for (const name of wanted) counts.set(name, (counts.get(name) ?? 0) + 1);
    for (const name of unwanted) counts.set(name, (counts.get(name) ?? 1) - 1);
    const released = unwanted.filter((name) => counts.get(name) === 0);
    for (const name of released) counts.delete(name);
    if (counts.size === 0) this.#counts.delete(typeUrl);
    // Told once the books are right: a hook may change the cache, or throw.
    const isNew = (name: string): boolean => counts.get(name) === 1;
    for (const name of wanted.filter(isNew)) this.#hooks.onDemand?.({ typeUrl, name });
    for (const name of released) this.#hooks.onRelease?.({ typeUrl, name });
  }
}
