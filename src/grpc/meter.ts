// What one stream costs, told to its account where that has changed by enough to matter.
import type { Node } from '../xds/index.js';
import type { StreamAccount } from './host.js';

/** Of any stream: its call, its state, its place in tables. */
const STREAM_BYTES = 16_384;
/** A smaller change isn't told. */
const STEP_BYTES = 4_096;

export class Meter {
  readonly #account: StreamAccount;
  readonly #baseBytes: number;
  #toldBytes = -STEP_BYTES;

  constructor(account: StreamAccount, node: Node) {
    this.#account = account;
    this.#baseBytes = STREAM_BYTES + JSON.stringify(node).length;
  }

  /** The session keeps so many bytes. */
  tell(sessionBytes: number): void {
    const bytes = this.#baseBytes + sessionBytes;
    if (Math.abs(bytes - this.#toldBytes) < STEP_BYTES) return;
    this.#toldBytes = bytes;
    this.#account.set(bytes);
  }

  close(): void {
    this.#account.close();
  }
}
