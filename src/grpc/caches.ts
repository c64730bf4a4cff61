// The caches for streams of `attachDiscovery`: what they are given needs no type to be named, so
// that `({ node }) => node.cluster` compiles. They themselves know streams by what they need of
// one.
import {
  type CacheStream,
  createLinearCache as createLinear,
  createSnapshotCache as createSnapshots,
  type LinearCache,
  type LinearCacheOptions,
  type SnapshotCache,
  type SnapshotCacheOptions,
} from '../xds/index.js';
import type { DiscoveryStream } from './handle.js';

/** A snapshot per group of nodes. */
export function createSnapshotCache<S extends CacheStream = DiscoveryStream<unknown>>(
  options: SnapshotCacheOptions<S>,
): SnapshotCache<S> {
  return createSnapshots(options);
}

/** Resources that come and go one at a time, the same for all streams. */
export function createLinearCache<S extends CacheStream = DiscoveryStream<unknown>>(
  options: LinearCacheOptions<S> = {},
): LinearCache<S> {
  return createLinear(options);
}
