import type { Clock } from './clock.js';
import { toSeconds } from './time.js';

export interface RateLimitOptions {
  readonly clock: Clock;
  /** Tokens that are added each second. */
  readonly perSecond: number;
  /** How many tokens there may be, and are at first. */
  readonly burst: number;
}

/** A token bucket. A clock that goes backwards adds nothing and takes nothing. */
export class RateLimit {
  readonly #options: RateLimitOptions;
  #tokens: number;
  #filledAtMs: number;

  constructor(options: RateLimitOptions) {
    this.#options = options;
    this.#tokens = options.burst;
    this.#filledAtMs = options.clock.now();
  }

  /** Takes one token; false where there is none. */
  tryTake(): boolean {
    if (!this.hasToken()) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Whether there is one to take. */
  hasToken(): boolean {
    const { clock, perSecond, burst } = this.#options;
    const nowMs = clock.now();
    const elapsedMs = Math.max(0, nowMs - this.#filledAtMs);
    this.#filledAtMs = nowMs;
    this.#tokens = Math.min(burst, this.#tokens + toSeconds(elapsedMs) * perSecond);
    return this.#tokens >= 1;
  }
}
