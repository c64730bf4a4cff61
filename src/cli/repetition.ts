// Repeating until told to stop. A stop that comes between two pauses is kept.
import type { Cancel } from '../base/index.js';
import type { Io } from '../terminal/index.js';

export interface Repetition {
  /** Waits; false at once where the process was told to stop, or as soon as it is. */
  pause(delayMs: number): Promise<boolean>;
  /** Hears of stops no more. */
  end(): void;
}

/** Hears of a stop from now on. */
export function startRepetition({ clock, onStop }: Pick<Io, 'clock' | 'onStop'>): Repetition {
  let stopped = false;
  let wake: (() => void) | undefined;
  const end: Cancel = onStop(() => {
    stopped = true;
    wake?.();
  });
  return {
    pause(delayMs) {
      if (stopped) return Promise.resolve(false);
      return new Promise((resolve) => {
        const cancel = clock.after(delayMs, () => resolve(true));
        wake = () => {
          cancel();
          resolve(false);
        };
      });
    },
    end,
  };
}
