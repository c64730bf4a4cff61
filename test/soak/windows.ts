// The times during which allowed calls may fail. docs/limits.md names them; there are no others,
// and none during which a forbidden call may be served.
import { type Clock, systemClock } from '../../src/base/index.js';
import type { Wrong } from './calls.js';

export interface WindowOptions {
  /** After a moment from now. */
  readonly afterMs?: number;
  /** Calls through this sidecar only; default: all. */
  readonly through?: string;
  /** Default: until all is served again. Two faults at once lengthen each other's. */
  readonly lastsMs?: number;
}

interface Window extends Omit<WindowOptions, 'afterMs' | 'lastsMs'> {
  readonly why: string;
  readonly fromMs: number;
  untilMs: number;
}

export class Windows {
  readonly #windows: Window[] = [];
  readonly #isAlone: boolean;
  readonly #clock: Clock;

  constructor({ isAlone, clock = systemClock }: { isAlone: boolean; clock?: Clock }) {
    this.#isAlone = isAlone;
    this.#clock = clock;
  }

  open(why: string, { afterMs = 0, through, lastsMs }: WindowOptions = {}): void {
    const fromMs = this.#clock.now() + afterMs;
    const lasts = this.#isAlone && lastsMs !== undefined ? lastsMs : Number.POSITIVE_INFINITY;
    const rest = through === undefined ? {} : { through };
    this.#windows.push({ why, fromMs, untilMs: fromMs + lasts, ...rest });
  }

  /** Ends those that are open, a little from now. */
  close(afterMs: number): void {
    const untilMs = this.#clock.now() + afterMs;
    for (const window of this.#windows) window.untilMs = Math.min(window.untilMs, untilMs);
  }

  /** The window in which an allowed call failed; undefined where it should not have. */
  whyOf({
    route,
    fromMs,
    untilMs,
  }: Pick<Wrong, 'route' | 'fromMs' | 'untilMs'>): string | undefined {
    const found = this.#windows.find(
      (window) =>
        (window.through === undefined || route.through.includes(window.through)) &&
        fromMs < window.untilMs &&
        untilMs > window.fromMs,
    );
    return found?.why;
  }
}
