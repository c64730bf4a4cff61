export { afterRunning } from './after-running.js';
export { type Cancel, type Clock, systemClock } from './clock.js';
export { Closers } from './closers.js';
export { closest } from './closest.js';
export { ERROR_CODES, type ErrorCode } from './error-codes.js';
export {
  MeshError,
  type MeshErrorOptions,
  type SourceRef,
  systemErrorCode,
  toPlace,
} from './errors.js';
export { escapeControls, toShortText } from './foreign-text.js';
export { inParts } from './in-parts.js';
export { Listeners } from './listeners.js';
export type { Logger } from './log.js';
export { type Random, systemRandom } from './random.js';
export { RateLimit, type RateLimitOptions } from './rate-limit.js';
export { Rerun } from './rerun.js';
export {
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  SECOND_MS,
  toRfc3339,
  toSeconds,
  toSecondsAndNanos,
  toSpan,
  tryDurationMs,
  YEAR_MS,
} from './time.js';
export { type CheckedClock, type Times, timesOf } from './times.js';
export { systemUptime, type Uptime } from './uptime.js';
export { type WaitUntilOptions, waitUntil } from './wait-until.js';
export { Watch } from './watch.js';
