export * from './cache/index.js';
export { type Dangling, findDangling } from './consistency.js';
export { encodeResponse } from './encode.js';
export { DEFAULT_SESSION_LIMITS, type SessionLimits } from './limits.js';
export { isJsonObject, type Json, type JsonObject, type Node } from './node.js';
export { isInForce, isSynced, type TypeReport, toReports } from './report.js';
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
export { createSession, type Effect, type Session, type SessionEvent, step } from './session.js';
export type { Rejection } from './type-state.js';
export { ORDER, TYPE_URLS, type TypeTraits, traitsOf } from './type-urls.js';
