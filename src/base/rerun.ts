/**
 * Work that looks at what there is now: one run at a time, and what happens during a run is one
 * more run, however often it was asked for.
 */
export class Rerun {
  readonly #work: () => Promise<void>;
  #running: Promise<void> | undefined;
  #isAskedAgain = false;

  /** @param work Must not reject. */
  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Resolves when a run that began after this call has ended. */
  run(): Promise<void> {
    if (this.#running !== undefined) {
      this.#isAskedAgain = true;
      return this.#running;
    }
    this.#running = this.#runAll();
    return this.#running;
  }

  /** Resolves when no run is under way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #runAll(): Promise<void> {
    try {
      do {
        this.#isAskedAgain = false;
        await this.#work();
      } while (this.#isAskedAgain);
    } finally {
      this.#running = undefined;
    }
  }
}
