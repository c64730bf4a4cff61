// A sidecar whose stream has ended: it may have crashed, or be back in a moment, and still serve.
// Its calls go to others soon where there are enough of these; it is forgotten only after a longer
// grace, in which whoever paces a change waits for it.
import { afterRunning, type Cancel, type Clock } from '../../base/index.js';
import type { Held } from './held-table.js';

/** Envoy comes back within half a second of a loss that lasts no longer. */
export const AWAY_AFTER_MS = 1_500;

export interface AbsenceOptions {
  readonly clock: Clock;
  readonly graceMs: number;
  /** Not back meanwhile, nor forgotten. */
  readonly isAbsent: () => boolean;
  readonly onAway: () => void;
  readonly onGone: () => void;
}

/** The result ends it. */
export function startAbsence(options: AbsenceOptions): Cancel {
  const { clock, graceMs, isAbsent, onAway, onGone } = options;
  const after = (delayMs: number, then: () => void): Cancel =>
    afterRunning({ clock, delayMs, callback: () => void (isAbsent() && then()) });
  const cancelAway = after(AWAY_AFTER_MS, onAway);
  const cancelGone = after(graceMs, onGone);
  return () => {
    cancelAway();
    cancelGone();
  };
}

/**
 * Whether others can take what one was called for: at least as many of the service are connected as
 * are not. A loss of most at once says more of the way to them than of them.
 */
export function isCovered(all: Iterable<Held>, { service }: Held): boolean {
  const ready = [...all].filter((one) => one.service === service && one.ready);
  const connected = ready.filter(({ streams }) => streams > 0).length;
  return connected > 0 && connected * 2 >= ready.length;
}
