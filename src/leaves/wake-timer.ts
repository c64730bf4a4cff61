import type { Cancel, Clock } from '../base/index.js';

/** One timer for many who want to be woken: it fires at the earliest time that was asked for. */
export class WakeTimer {
  readonly #clock: Clock;
  readonly #wake: () => void;
  #cancel: Cancel = () => undefined;
  /** When it fires; infinite: it isn't set. */
  #atMs = Number.POSITIVE_INFINITY;
  /** It waits for nothing but its turn. */
  #firesNext = false;
  #isStopped = false;

  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** Wakes at this time of day, or earlier where somebody asked for that. */
  wakeAt(atMs: number): void {
    if (this.#isStopped || this.#firesNext) return;
    const nowMs = this.#clock.now();
    // A busy process is a little late with it, or the clock was set and it would come far too late.
    const isLate = this.#atMs <= nowMs;
    if (!isLate && this.#atMs <= atMs) return;
    this.#cancel();
    const waitMs = isLate ? 0 : Math.max(0, atMs - nowMs);
    this.#atMs = nowMs + waitMs;
    this.#firesNext = waitMs === 0;
    this.#cancel = this.#clock.after(waitMs, () => {
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#firesNext = false;
      this.#wake();
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }
}
