// Each step of a change as a line of the log, and counted.
import { type Logger, toPlace } from '../../base/index.js';
import { toStepEvents } from './step-events.js';
import type { StepName } from './track.js';
import type { Tracks } from './tracks.js';

export class StepLog {
  readonly #logger: Logger;
  readonly #done = new Map<StepName, number>();
  #turnedBack = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Steps that were taken by all whom they concern, since the server started. */
  get done(): ReadonlyMap<StepName, number> {
    return this.#done;
  }

  /** How often a track went back. */
  get turnedBack(): number {
    return this.#turnedBack;
  }

  note(before: Tracks, now: Tracks): void {
    for (const event of toStepEvents(before, now)) {
      const { of } = event;
      switch (event.kind) {
        case 'entered':
          this.#logger.info({ of, step: event.step, back: event.isBack }, 'step in force');
          break;
        case 'done':
          this.#done.set(event.step, (this.#done.get(event.step) ?? 0) + 1);
          break;
        case 'held': {
          const { refused, ...why } = event.held;
          this.#turnedBack++;
          const { connection: _, ...fields } = { connection: undefined, ...why };
          this.#logger.warn(
            { of, ...fields, source: toPlace(refused.source) },
            'a change goes back: what was stays in force',
          );
          break;
        }
      }
    }
  }
}
