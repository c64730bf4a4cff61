import type { JsonStore } from '../../src/data/index.js';

/** A store in memory: what is written is read again, and failures are the test's. */
export class MemoryStore<T> implements JsonStore<T> {
  value: T | undefined;
  writes = 0;
  /** What the next writes reject with. */
  failure: Error | undefined;

  constructor(value?: T) {
    this.value = value;
  }

  async read(): Promise<T | undefined> {
    return this.value;
  }

  async write(value: T): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.writes++;
    this.value = value;
  }
}
