import type { Cancel } from './clock.js';

/**
 * The latest value and who wants to know of it. A watcher that is slow sees only the newest value:
 * nothing is queued. Equal values (`equals`, by default `Object.is`) are not announced.
 */
export class Watch<T> {
  #value: T;
  readonly #equals: (a: T, b: T) => boolean;
  readonly #listeners = new Set<(value: T) => void>();

  constructor(initial: T, equals: (a: T, b: T) => boolean = Object.is) {
    this.#value = initial;
    this.#equals = equals;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (this.#equals(this.#value, value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener(value);
  }

  /** Calls `listener` on each change (not with the present value) until cancelled. */
  onChange(listener: (value: T) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
