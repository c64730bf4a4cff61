import type { Cancel, Clock } from '../../src/base/index.js';

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A clock that stands still until the test moves it. Timers fire in order of time, then of setting.
 */
export class ManualClock implements Clock {
  #nowMs: number;
  /** What timers count: unlike the time of day, it neither jumps nor counts a suspension. */
  #runMs = 0;
  #order = 0;
  readonly #timers = new Set<Timer>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  /** What no setting of the clock changes. */
  readonly uptime = { ms: () => this.#runMs, bootId: 'boot-1' } as const;

  after(delayMs: number, callback: () => void): Cancel {
    const timer = { atMs: this.#runMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets `ms` pass and fires what falls due, each timer at its own time. */
  advance(ms: number): void {
    const endMs = this.#runMs + ms;
    for (let next = this.#nextUntil(endMs); next !== undefined; next = this.#nextUntil(endMs)) {
      this.#move(next.atMs - this.#runMs);
      this.#timers.delete(next);
      next.callback();
    }
    this.#move(endMs - this.#runMs);
  }

  /**
   * Sets the time of day without letting timers run: a clock that was set, a machine that slept.
   */
  jump(ms: number): void {
    this.#nowMs += ms;
  }

  #move(ms: number): void {
    this.#nowMs += ms;
    this.#runMs += ms;
  }

  #nextUntil(endMs: number): Timer | undefined {
    return [...this.#timers]
      .filter((timer) => timer.atMs <= endMs)
      .sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
  }
}
