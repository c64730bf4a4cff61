// The deadlines of running steps, each of its own: one that passes leaves the others alone.
import { afterRunning, type Cancel, type Clock } from '../../base/index.js';
import { lingerMs } from './kinds.js';
import type { Due } from './look-tracks.js';
import { STAGE_DEADLINE_MS } from './staged.js';
import type { Tracks } from './tracks.js';

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
    if (due.kind === 'lingered') return clock.after(lingerMs(due.step), callback);
    return afterRunning({ clock, delayMs: STAGE_DEADLINE_MS, callback });
  }
}

function toDues({ tracks, arrival }: Tracks): readonly Due[] {
  const ofTracks = [...tracks].flatMap(([of, track]): Due[] => {
    const { steps, sinceMs, isOverdue, linger } = track;
    const [step] = steps;
    if (step === undefined) return [];
    return [
      ...(isOverdue ? [] : [{ kind: 'deadline', of, sinceMs } as const]),
      ...(linger === 'running'
        ? [{ kind: 'lingered', of, sinceMs, step: step.name } as const]
        : []),
    ];
  });
  if (arrival === undefined || arrival.isOverdue) return ofTracks;
  return [...ofTracks, { kind: 'deadline', of: 'arrival', sinceMs: arrival.sinceMs }];
}
