// Whether what a sidecar accepted is in force on it, by its own statistics. An ACK says that it was
// accepted: a listener may still wait for something (decision 043).
import type { Sample } from './sample.js';

export type Verdict =
  | 'in-force'
  /** It was accepted, and isn't in force yet. */
  | 'warming'
  /** Statistics say nothing of it: what it acknowledged counts. */
  | 'unknown';

export interface Evidence {
  /**
   * Of the version of the listeners that it took last, as `toVersionHash` has it; undefined:
   * unknown, or some were rejected.
   */
  readonly listeners: number | undefined;
  /** Undefined where it is silent. */
  readonly sample: Sample | undefined;
  /** The sample was made after it took those listeners, and all that they asked for. */
  readonly isFresh: boolean;
  /** It took them a moment ago. */
  readonly isRecent: boolean;
  /** Something that they refer to was taken after them. */
  readonly hasAsked: boolean;
}

export function inForce({ listeners, sample, ...taken }: Evidence): Verdict {
  if (sample === undefined) return 'unknown';
  if (!taken.isFresh) return taken.isRecent && taken.hasAsked ? 'warming' : 'unknown';
  if (sample.isStarting || sample.warming > 0) return 'warming';
  if (listeners === undefined) return 'unknown';
  if (sample.listeners === listeners) return 'in-force';
  // It should have them by now: that it hasn't for long is more likely an error of ours.
  return taken.isRecent ? 'warming' : 'unknown';
}
