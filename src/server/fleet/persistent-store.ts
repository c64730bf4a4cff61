// A document whose owner writes it when it changes, and may not change it again for a long time: a
// write that failed is tried again until it, or a newer one, has worked.
import { type Cancel, type Clock, SECOND_MS } from '../../base/index.js';
import type { JsonStore } from '../../data/index.js';

const RETRY_MS = 5 * SECOND_MS;

export class PersistentStore<T> implements JsonStore<T> {
  readonly #store: JsonStore<T>;
  readonly #clock: Clock;
  #cancelRetry: Cancel | undefined;
  #stopped = false;

  constructor(store: JsonStore<T>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  read(): Promise<T | undefined> {
    return this.#store.read();
  }

  /** Fails as the first try does; the others are told by the disk's own watch. */
  async write(value: T): Promise<void> {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    try {
      await this.#store.write(value);
    } catch (error) {
      const again = (): void => void this.write(value).catch(() => undefined);
      if (!this.#stopped) this.#cancelRetry ??= this.#clock.after(RETRY_MS, again);
      throw error;
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelRetry?.();
  }
}
