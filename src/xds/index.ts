export {
  type CacheHooks,
  type CacheStream,
  createLinearCache,
  createSnapshotCache,
  type LinearCache,
  type LinearCacheOptions,
  type LinearChange,
  type SnapshotCache,
  type SnapshotCacheOptions,
} from './cache/index.js';
export { type Dangling, findDangling } from './consistency.js';
export type { Effect, SessionEvent, Step } from './effect.js';
export { encodeResponse } from './encode.js';
export { DEFAULT_SESSION_LIMITS, type SessionLimits } from './limits.js';
export { isJsonObject, type Json, type JsonObject, type Node } from './node.js';
export {
  heldOf,
  isInForce,
  isSynced,
  isUnderWay,
  rejectionOf,
  type TypeReport,
  toReports,
} from './report.js';
export {
  type DecodedRequest,
  type DecodeOptions,
  decodeRequest,
  type Interest,
  type Request,
  type Variant,
} from './request.js';
export {
  createResource,
  createResourceSet,
  createSnapshot,
  EMPTY_SET,
  type Resource,
  type ResourceOptions,
  type ResourceRef,
  type ResourceSet,
  type Snapshot,
  type SnapshotEntry,
} from './resource.js';
export type { Response } from './response.js';
export type { Absent, Nacked, Pending, Standing, Synced } from './standing.js';
export { createSession, type Rejection, type Session } from './state.js';
export { step } from './step.js';
export { ORDER, TYPE_URLS, type TypeTraits, traitsOf } from './type-urls.js';
