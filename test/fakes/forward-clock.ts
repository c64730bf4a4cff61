import { type Cancel, type Clock, systemClock, systemUptime } from '../../src/base/index.js';

const STEP_MS = 1_000;

interface Timer {
  readonly dueAtMs: number;
  readonly callback: () => void;
  cancel: Cancel;
}

/**
 * The system's clock, which a test can put forward, for a server that real programs talk to: what
 * it would do in some seconds it does at once. Up to 5 minutes its certificates are good to others,
 * because they are backdated by that much.
 */
export class ForwardClock implements Clock {
  #aheadMs = 0;
  readonly #timers = new Set<Timer>();
  /** Of a machine on which that time has passed. */
  readonly uptime = {
    ms: () => systemUptime.ms() + this.#aheadMs,
    bootId: systemUptime.bootId,
  } as const;

  now(): number {
    return systemClock.now() + this.#aheadMs;
  }

  after(delayMs: number, callback: () => void): Cancel {
    const timer = { dueAtMs: this.now() + Math.max(0, delayMs), callback, cancel: () => {} };
    this.#arm(timer);
    return () => {
      timer.cancel();
      this.#timers.delete(timer);
    };
  }

  /**
   * Timers that are due by then fire before it returns, in their order; by the second, so that
   * those that are set meanwhile come as well.
   */
  putForward(ms: number): void {
    for (let leftMs = ms; leftMs > 0; leftMs -= STEP_MS) this.#step(Math.min(leftMs, STEP_MS));
  }

  #step(ms: number): void {
    this.#aheadMs += ms;
    for (const timer of [...this.#timers].sort((a, b) => a.dueAtMs - b.dueAtMs)) {
      // One that fired before it may have cancelled it.
      if (!this.#timers.has(timer)) continue;
      timer.cancel();
      if (timer.dueAtMs <= this.now()) this.#fire(timer);
      else this.#arm(timer);
    }
  }

  #arm(timer: Timer): void {
    this.#timers.add(timer);
    const leftMs = timer.dueAtMs - this.now();
    timer.cancel = systemClock.after(leftMs, () => this.#fire(timer));
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer);
    timer.callback();
  }
}
