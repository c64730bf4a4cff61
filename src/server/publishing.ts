// What publishes: the mesh in force, endpoints and revocations on one side, the connected sidecars
// on the other. Endpoints change often while many sidecars join, so those changes are gathered, for
// longer the longer publishing takes.
import type { Clock } from '../base/index.js';
import type { Fleet, Publisher, PublisherInput } from './fleet/index.js';

/** How long answers and changes of endpoints are gathered before they are acted on. */
export const GATHER_MS = 10;
/** While many sidecars join: publishing gets at most one part in this plus one of the time. */
const REST = 3;
const LONGEST_GATHER_MS = 1_000;

export interface PublishingOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly publisher: Pick<Publisher, 'update'>;
  readonly fleet: Pick<Fleet, 'publish'>;
  /** As it is now. */
  readonly input: () => PublisherInput;
}

export class Publishing {
  readonly #options: PublishingOptions;
  #isStale = false;
  #gatherMs = GATHER_MS;

  constructor(options: PublishingOptions) {
    this.#options = options;
  }

  /** Endpoints have changed since they were published. */
  get isStale(): boolean {
    return this.#isStale;
  }

  /** How long to gather what comes before it is acted on. */
  get gatherMs(): number {
    return this.#isStale ? this.#gatherMs : GATHER_MS;
  }

  endpointsChanged(): void {
    this.#isStale = true;
  }

  /** Translates and sends everything that has changed, now. */
  publish(): void {
    const { clock, publisher, fleet, input } = this.#options;
    const beganMs = clock.now();
    this.#isStale = false;
    publisher.update(input());
    fleet.publish();
    const tookMs = clock.now() - beganMs;
    this.#gatherMs = Math.min(LONGEST_GATHER_MS, Math.max(GATHER_MS, tookMs * REST));
  }
}
