/** Undoes what returned it; calling it again does nothing. */
export type Cancel = () => void;

/** Time, injected: nothing else in `src` reads the system's clock or sets a timer. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Calls `callback` once after `delayMs` (0 or more); longer than a timer can hold is allowed. */
  after(delayMs: number, callback: () => void): Cancel;
}

/** Node's setTimeout fires at once for more than 2^31-1 ms: wait in steps of at most this. */
const LONGEST_STEP_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, callback) {
    let timer: NodeJS.Timeout;
    const step = (leftMs: number): void => {
      const stepMs = Math.min(leftMs, LONGEST_STEP_MS);
      timer = setTimeout(() => (leftMs > stepMs ? step(leftMs - stepMs) : callback()), stepMs);
    };
    step(Math.max(0, delayMs));
    return () => clearTimeout(timer);
  },
};
