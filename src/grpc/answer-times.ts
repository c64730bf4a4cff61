// When a peer took what it has, resource by resource, and when it last rejected something of a
// type. Most peers take all of a type at once, so only what came at another time is written down by
// name: nothing for most streams, and never more than the peer has.

/** Of one type. Times are milliseconds since the Unix epoch. */
export class AnswerTimes {
  /** When all that `#byName` doesn't name was taken; undefined where that isn't known. */
  #restMs: number | undefined;
  #byName: Map<string, number> | undefined;
  #rejectedAtMs: number | undefined;

  get rejectedAtMs(): number | undefined {
    return this.#rejectedAtMs;
  }

  /** When the peer took what it has of that name; undefined where on an earlier stream. */
  takenAtMs(name: string): number | undefined {
    return this.#byName?.get(name) ?? this.#restMs;
  }

  /** The peer took new content of the names in `taken`; `held` is all that it has now. */
  take(taken: readonly string[], held: ReadonlyMap<string, unknown>, nowMs: number): void {
    const names = taken.filter((name) => held.has(name));
    if (names.length === held.size) {
      this.#restMs = nowMs;
      this.#byName = undefined;
      return;
    }
    if (names.length === 0 && this.#byName === undefined) return;
    this.#byName ??= new Map();
    for (const name of names) this.#byName.set(name, nowMs);
    for (const name of this.#byName.keys()) if (!held.has(name)) this.#byName.delete(name);
  }

  reject(nowMs: number): void {
    this.#rejectedAtMs = nowMs;
  }
}
