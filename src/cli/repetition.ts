// Repeating until the process is asked to stop. A stop that comes between two pauses isn't lost.
import { type Cancel, Listeners, waitUntil } from '../base/index.js';
import type { Io } from '../terminal/index.js';

export interface Repetition {
  /** Waits. False as soon as the process is asked to stop, or at once if it already was. */
  pause(delayMs: number): Promise<boolean>;
  /** Ends the pause that is, or else the next one. */
  wake(): void;
  /** No longer listens for stops. */
  end(): void;
}

/** Listens for a stop from now on. */
export function startRepetition({ clock, onStop }: Pick<Io, 'clock' | 'onStop'>): Repetition {
  let stopped = false;
  let woken = false;
  const stops = new Listeners();
  const end: Cancel = onStop(() => {
    stopped = true;
    stops.notify();
  });
  return {
    async pause(delayMs) {
      await waitUntil({
        look: () => (stopped || woken ? true : undefined),
        onChange: (listener) => stops.add(listener),
        clock,
        timeoutMs: delayMs,
      });
      woken = false;
      return !stopped;
    },
    wake() {
      woken = true;
      stops.notify();
    },
    end,
  };
}
