// What paces: sidecars that connect, answer or leave may finish a phase, and whoever waits for them
// looks again. Many at once are one push to the others and one look.
import { type Cancel, type Clock, Listeners } from '../base/index.js';
import type { Rollout } from './mesh/index.js';
import type { Publishing } from './publishing.js';

export interface PacingOptions {
  readonly clock: Clock;
  readonly publishing: Publishing;
  readonly rollout: Pick<Rollout, 'advance'>;
}

export class Pacing {
  readonly #options: PacingOptions;
  #cancelLook: Cancel | undefined;
  /** A sidecar connected, answered or left, or the mesh changed. */
  readonly changes = new Listeners();

  constructor(options: PacingOptions) {
    this.#options = options;
  }

  /** Something happened that others may be waiting for. */
  lookSoon(): void {
    const { clock, publishing } = this.#options;
    this.#cancelLook ??= clock.after(publishing.gatherMs, () => this.#look());
  }

  stop(): void {
    this.#cancelLook?.();
  }

  #look(): void {
    const { publishing, rollout } = this.#options;
    this.#cancelLook = undefined;
    if (publishing.isStale) publishing.publish();
    rollout.advance();
    this.changes.notify();
  }
}
