// Repeating until the process is asked to stop. A stop that comes between two pauses is kept.
import { type Cancel, Listeners, waitUntil } from '../base/index.js';
import type { Io } from '../terminal/index.js';

export interface Repetition {
  /** Waits; false at once where the process was asked to stop, or as soon as it is. */
  pause(delayMs: number): Promise<boolean>;
  /** No longer listens for stops. */
  end(): void;
}

/** Hears of a stop from now on. */
export function startRepetition({ clock, onStop }: Pick<Io, 'clock' | 'onStop'>): Repetition {
  let stopped = false;
  const stops = new Listeners();
  const end: Cancel = onStop(() => {
    stopped = true;
    stops.notify();
  });
  return {
    async pause(delayMs) {
      const { kind } = await waitUntil({
        look: () => (stopped ? true : undefined),
        onChange: (listener) => stops.add(listener),
        clock,
        timeoutMs: delayMs,
      });
      return kind === 'timeout';
    },
    end,
  };
}
