/** What has to be undone at the end, newest first, whatever fails on the way. */
export class CleanupStack {
  #steps: (() => Promise<unknown>)[] = [];
  #closed = false;

  /**
   * Once `run` was called, `undo` runs at once, so what an interrupted start still brings up is
   * removed too.
   */
  async defer(undo: () => Promise<unknown>): Promise<void> {
    if (this.#closed) await undo();
    else this.#steps.push(undo);
  }

  /** Runs each step once, and returns what failed. */
  async run(): Promise<readonly unknown[]> {
    this.#closed = true;
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      await step().catch((error: unknown) => failures.push(error));
    }
    return failures;
  }
}
