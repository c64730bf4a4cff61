// Repeating until the process is asked to stop. A stop that comes between two pauses isn't lost.
import { type Cancel, Listeners, waitUntil } from '../base/index.js';
import type { Io } from '../terminal/index.js';

export interface Repetition {
  /** Waits. False as soon as the process is asked to stop, or at once if it already was. */
  pause(delayMs: number): Promise<boolean>;
  /** No longer listens for stops. */
  end(): void;
}

/** Listens for a stop from now on. */
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
