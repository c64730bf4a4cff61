import type { Cancel } from './clock.js';

/** Something that happens again and again: who wants to know subscribes once both exist. */
export class Signal {
  readonly #listeners = new Set<() => void>();

  /** Calls `listener` each time until cancelled. */
  subscribe(listener: () => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
