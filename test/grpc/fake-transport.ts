import type { Transport } from '../../src/grpc/outlet.js';

/** A peer that takes what was written to it when the test says so. */
export class FakeTransport implements Transport {
  writableNeedDrain = false;
  readonly written: Buffer[] = [];
  readonly #untaken: (() => void)[] = [];

  write(bytes: Buffer, taken: () => void): void {
    this.written.push(bytes);
    this.#untaken.push(taken);
  }

  /** The oldest `count` messages that are on their way leave for the peer; default all. */
  take(count = this.#untaken.length): void {
    for (const taken of this.#untaken.splice(0, count)) taken();
  }
}
