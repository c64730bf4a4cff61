// Now and then the leaves go that have ended and whose nodes are gone: a look reads every file.
import { type Clock, HOUR_MS, timesOf } from '../base/index.js';
import type { NodeId } from '../spiffe/index.js';
import type { LeafStore } from './leaf-store.js';

const SWEEP_EVERY_MS = HOUR_MS;

export class LeafSweep {
  readonly #store: Pick<LeafStore, 'removeEnded'>;
  readonly #clock: Clock;
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  #sweep: Promise<void> = Promise.resolve();

  constructor(store: Pick<LeafStore, 'removeEnded'>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Sweeps where it is time to. @param keep Whose files stay. */
  look(keep: (node: NodeId) => boolean): void {
    const nowMs = this.#clock.now();
    if (Math.abs(nowMs - this.#sweptAtMs) < SWEEP_EVERY_MS) return;
    this.#sweptAtMs = nowMs;
    this.#sweep = this.#store.removeEnded(timesOf(this.#clock).earliestMs, keep).then(
      () => undefined,
      // Old files cost only room; the next sweep tries again.
      () => undefined,
    );
  }

  /** Resolves when none is under way. */
  settled(): Promise<void> {
    return this.#sweep;
  }
}
