import type { Cancel } from './clock.js';

/** Who wants to be called when something happens. A listener must not throw. */
export class Listeners<T extends readonly unknown[] = []> {
  readonly #listeners = new Set<(...args: T) => void>();

  /** Calls `listener` each time, until cancelled. */
  add(listener: (...args: T) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls each listener that there is now. */
  notify(...args: T): void {
    for (const listener of [...this.#listeners]) listener(...args);
  }
}
