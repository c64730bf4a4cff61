// What the caches need of a stream, and how they hear of it. A stream of `attachDiscovery` is one,
// and a cache's `hooks` go into its options; so do fakes in tests. A stream belongs to one cache.
import type { Snapshot } from '../resource.js';

export interface CacheStream {
  /** What this peer is to have from now on. */
  setSnapshot(snapshot: Snapshot): void;
  /** What it asks for, by type. */
  state(): readonly { readonly typeUrl: string; readonly names: ReadonlySet<string> }[];
}

export interface CacheHooks<S extends CacheStream> {
  onConnect(stream: S): void;
  /** After each request of the peer. */
  onUpdate(stream: S, update: { readonly typeUrl: string }): void;
  onDisconnect(stream: S): void;
}
