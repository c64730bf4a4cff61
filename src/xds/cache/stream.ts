// What the caches need of a stream, and how they hear of it. A stream of `attachDiscovery` is one,
// and a cache's `hooks` go into its options; so do fakes in tests. A stream belongs to one cache.
import type { Request } from '../request.js';
import type { Snapshot } from '../resource.js';

export interface CacheStream {
  /** What this peer is to have from now on. */
  setSnapshot(snapshot: Snapshot): void;
  /** Throws where the peer can't be given that. */
  checkSnapshot?(snapshot: Snapshot): void;
  /** What it asks for, by type. */
  state(): readonly {
    readonly typeUrl: string;
    readonly names: ReadonlySet<string>;
    readonly wildcard?: boolean;
  }[];
  /** Says nothing of a name that doesn't exist until the function that is returned was called. */
  defer?(wanted: { readonly typeUrl: string; readonly name: string }): () => void;
}

export interface CacheHooks<S extends CacheStream> {
  onConnect(stream: S): void;
  /**
   * Each request of the peer, before it is answered. A promise is of what has begun (`onDemand`):
   * where it is rejected, that is to be logged.
   */
  onRequest(stream: S, request: Request): Promise<unknown> | undefined;
  /** After each request of the peer. */
  onUpdate(stream: S, update: { readonly typeUrl: string }): Promise<unknown> | undefined;
  onDisconnect(stream: S): void;
}
