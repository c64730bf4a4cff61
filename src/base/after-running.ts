// A deadline for others, who may have kept it while this process stood still, in a long computation
// or stopped. What they sent then waits to be read, and Node runs timers that are due before it
// reads. So the time is counted in slices, and one during which nothing ran doesn't count.
import type { Cancel, Clock } from './clock.js';
import { SECOND_MS } from './time.js';

export interface AfterRunningOptions {
  readonly clock: Clock;
  readonly delayMs: number;
  readonly callback: () => void;
  /** Milliseconds since any time, which nobody sets: what timers go by. */
  readonly runMs?: () => number;
}

const SLICE_MS = SECOND_MS;
/** Later than what a busy machine makes of a timer. */
const LATE_MS = 500;

/**
 * Calls `callback` once after `delayMs` in which this process ran; after twice as many slices at
 * the latest, for a process that hardly ever does.
 */
export function afterRunning(options: AfterRunningOptions): Cancel {
  const { clock, delayMs, callback, runMs = () => performance.now() } = options;
  let leftMs = delayMs;
  let spare = Math.ceil(delayMs / SLICE_MS);
  let cancel: Cancel = () => undefined;
  const wait = (): void => {
    const sliceMs = Math.min(leftMs, SLICE_MS);
    const dueMs = runMs() + sliceMs;
    cancel = clock.after(sliceMs, () => {
      const isLate = runMs() - dueMs > LATE_MS;
      if (isLate && spare > 0) spare--;
      else leftMs -= sliceMs;
      if (leftMs > 0) wait();
      else callback();
    });
  };
  wait();
  return () => cancel();
}
