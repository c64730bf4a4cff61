// Since which input what a service is sent is the same: what was made for it then still holds.
import type { ServiceName } from '../../policy/index.js';

export class Editions {
  #newest = 0;
  /** Of the last input that concerned all. */
  #ofAll = 0;
  readonly #own = new Map<ServiceName, number>();

  /** @param affected Whom an input concerns; undefined: all. */
  next(affected: ReadonlySet<ServiceName> | undefined): void {
    this.#newest++;
    if (affected === undefined) {
      this.#ofAll = this.#newest;
      this.#own.clear();
    }
    for (const name of affected ?? []) this.#own.set(name, this.#newest);
  }

  of(name: ServiceName): number {
    return this.#own.get(name) ?? this.#ofAll;
  }
}
