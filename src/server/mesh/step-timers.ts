// The deadlines of running steps, each of its own: one that passes leaves the others alone.
import { afterRunning, type Cancel, type Clock, SECOND_MS } from '../../base/index.js';
import type { Due } from './look-tracks.js';
import { STAGE_DEADLINE_MS } from './staged.js';
import type { Tracks } from './tracks.js';

/** A caller's sidecar that has said that it moved may have requests on their way still. */
const ON_THEIR_WAY_MS = SECOND_MS / 2;

export class StepTimers {
  readonly #clock: Clock;
  readonly #onDue: (due: Due) => void;
  /** By what they stand for. */
  #timers: ReadonlyMap<string, Cancel> = new Map();

  constructor(clock: Clock, onDue: (due: Due) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Timers for what runs now; those of what no longer does are cancelled. */
  follow(state: Tracks): void {
    const old = this.#timers;
    const wanted = new Map(toDues(state).map((due) => [JSON.stringify(due), due]));
    for (const [key, cancel] of old) if (!wanted.has(key)) cancel();
    this.#timers = new Map(
      [...wanted].map(([key, due]) => [key, old.get(key) ?? this.#start(due)]),
    );
  }

  stop(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers = new Map();
  }

  #start(due: Due): Cancel {
    const clock = this.#clock;
    const callback = (): void => this.#onDue(due);
    if (due.kind === 'lingered') return clock.after(ON_THEIR_WAY_MS, callback);
    return afterRunning({ clock, delayMs: STAGE_DEADLINE_MS, callback });
  }
}

function toDues({ tracks, arrival }: Tracks): readonly Due[] {
  const ofTracks = [...tracks].flatMap(([of, track]): Due[] => {
    const { steps, sinceMs, isOverdue, linger } = track;
    if (steps.length === 0) return [];
    return [
      ...(isOverdue ? [] : [{ kind: 'deadline', of, sinceMs } as const]),
      ...(linger === 'running' ? [{ kind: 'lingered', of, sinceMs } as const] : []),
    ];
  });
  if (arrival === undefined || arrival.isOverdue) return ofTracks;
  return [...ofTracks, { kind: 'deadline', of: 'arrival', sinceMs: arrival.sinceMs }];
}
