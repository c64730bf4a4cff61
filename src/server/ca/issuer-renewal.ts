// Our issuing CA is replaced in time by the clock, whether or not anybody asks for a leaf: a mesh
// whose sidecars are all away has a good one when they come back, and `cert` finds it in the data
// folder. What fails is tried again with growing pauses; the one there is signs on.
import {
  type Cancel,
  type Clock,
  HOUR_MS,
  type Logger,
  MINUTE_MS,
  Rerun,
} from '../../base/index.js';
import type { LocalAuthority } from '../../ca/index.js';

const LOOK_EVERY_MS = MINUTE_MS;
const LONGEST_PAUSE_MS = HOUR_MS;

export interface IssuerRenewalOptions {
  readonly authority: Pick<LocalAuthority, 'renewIssuer'>;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info' | 'error'>;
}

export class IssuerRenewal {
  readonly #options: IssuerRenewalOptions;
  readonly #looking = new Rerun(() => this.#look());
  #failures = 0;
  #isStopped = false;
  #cancel: Cancel = () => undefined;

  constructor(options: IssuerRenewalOptions) {
    this.#options = options;
  }

  /** Looks now, and from then on by itself. */
  look(): Promise<void> {
    return this.#looking.run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#looking.settled();
    this.#cancel();
  }

  async #look(): Promise<void> {
    const { authority, clock, logger } = this.#options;
    this.#cancel();
    if (this.#isStopped) return;
    try {
      if (await authority.renewIssuer()) logger.info({}, 'the issuing CA was replaced');
      this.#failures = 0;
    } catch (err) {
      this.#failures++;
      logger.error({ err }, 'the issuing CA could not be replaced: it is tried again');
    }
    const pauseMs = Math.min(LOOK_EVERY_MS * 2 ** this.#failures, LONGEST_PAUSE_MS);
    this.#cancel = clock.after(pauseMs, () => void this.look());
  }
}
