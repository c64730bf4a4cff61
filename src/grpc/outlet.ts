// The way out of a stream, with a bound: a reader that is stuck costs a limited number of bytes.
// Until it has taken them its session is paused, and what it is to have changes without a trace.
// (The transport itself would queue 16 messages of any size.)

/** The part of a gRPC call that takes messages. */
export interface Transport {
  /** It wants nothing more for now. */
  readonly writableNeedDrain: boolean;
  /** Calls `taken` once the message has left for the peer. */
  write(bytes: Buffer, taken: () => void): unknown;
}

export interface OutletOptions {
  readonly transport: Transport;
  readonly maxUnreadBytes: number;
  /** Too much is unread: after this, nothing should be written before `onResume`. */
  readonly onPause: () => void;
  readonly onResume: () => void;
}

export class Outlet {
  readonly #options: OutletOptions;
  /** Written, and not taken by the transport yet. */
  #unreadBytes = 0;
  #paused = false;

  constructor(options: OutletOptions) {
    this.#options = options;
  }

  get unreadBytes(): number {
    return this.#unreadBytes;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  write(bytes: Buffer): void {
    const { transport, onPause, onResume } = this.#options;
    const { length } = bytes;
    this.#unreadBytes += length;
    transport.write(bytes, () => {
      this.#unreadBytes -= length;
      if (!this.#paused || !this.#mayWrite()) return;
      this.#paused = false;
      onResume();
    });
    if (this.#paused || this.#mayWrite()) return;
    this.#paused = true;
    onPause();
  }

  #mayWrite(): boolean {
    const { transport, maxUnreadBytes } = this.#options;
    return this.#unreadBytes <= maxUnreadBytes && !transport.writableNeedDrain;
  }
}
