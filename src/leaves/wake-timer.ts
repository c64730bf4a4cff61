import type { Cancel, Clock } from '../base/index.js';

/** One timer for many who want to be woken: it fires at the earliest time that was asked for. */
export class WakeTimer {
  readonly #clock: Clock;
  readonly #wake: () => void;
  #cancel: Cancel = () => undefined;
  /** When it fires; infinite: it isn't set. */
  #atMs = Number.POSITIVE_INFINITY;
  #isStopped = false;

  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** Wakes at this time of day, or earlier where somebody asked for that. */
  wakeAt(atMs: number): void {
    const nowMs = this.#clock.now();
    // Where it should have fired by now, the clock was set: what it waits for is no measure.
    const isSetFor = this.#atMs > nowMs && this.#atMs <= atMs;
    if (this.#isStopped || isSetFor) return;
    this.#cancel();
    this.#atMs = atMs;
    this.#cancel = this.#clock.after(Math.max(0, atMs - nowMs), () => {
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#wake();
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }
}
