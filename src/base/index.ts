export { type Cancel, type Clock, systemClock } from './clock.js';
export { closest } from './closest.js';
export { tryDurationMs } from './duration.js';
export { ERROR_CODES, type ErrorCode } from './error-codes.js';
export {
  MeshError,
  type MeshErrorOptions,
  type SourceRef,
  systemErrorCode,
  toPlace,
} from './errors.js';
export { inParts } from './in-parts.js';
export type { Logger } from './log.js';
export { type Random, systemRandom } from './random.js';
export { RateLimit, type RateLimitOptions } from './rate-limit.js';
export { Watch } from './watch.js';
