export type Closer = () => Promise<void> | void;

/** What was opened, to be closed in reverse order; each closer runs once. */
export class Closers {
  readonly #closers: Closer[] = [];

  defer(closer: Closer): void {
    this.#closers.push(closer);
  }

  async close(): Promise<void> {
    for (let last = this.#closers.pop(); last !== undefined; last = this.#closers.pop()) {
      await last();
    }
  }
}
