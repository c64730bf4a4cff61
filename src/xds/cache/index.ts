export {
  createLinearCache,
  type LinearCache,
  type LinearCacheOptions,
  type LinearChange,
} from './linear-cache.js';
export {
  createSnapshotCache,
  type SnapshotCache,
  type SnapshotCacheOptions,
} from './snapshot-cache.js';
export type { CacheHooks, CacheStream } from './stream.js';
