/** What has to be undone at the end, in reverse order, whatever fails on the way. */
export class Cleanup {
  #steps: { readonly name: string; readonly run: () => unknown }[] = [];

  /** `run` may be asynchronous; `name` is for the error when it fails. */
  defer(name: string, run: () => unknown): void {
    this.#steps.push({ name, run });
  }

  /**
   * Runs all steps, the newest first, each once; then one AggregateError names those that failed.
   */
  async run(): Promise<void> {
    const errors: Error[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.run();
      } catch (cause) {
        errors.push(new Error(`cleanup of ${step.name} failed`, { cause }));
      }
    }
    const names = errors.map(({ message }) => message).join('; ');
    if (errors.length > 0) throw new AggregateError(errors, names);
  }
}
