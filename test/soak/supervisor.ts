// Keeps a server running, as a service manager does: whoever kills it finds it started again.
import type { Child, ChildOptions } from '../../src/demo/child.js';
import { delay, eventually } from '../../src/demo/wait.js';
import type { Harness } from '../harness/index.js';

export interface SupervisorOptions extends Pick<ChildOptions, 'command' | 'args' | 'env'> {
  readonly harness: Harness;
}

const READY = /^ready: /m;
const PAUSE_MS = 200;
const READY_MS = 45_000;
const LOG_LINES = 20_000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  /** Ends of a server that was ready, which nobody wanted. */
  readonly crashes: string[] = [];
  #child: Child | undefined;
  #isReady = false;
  #isClosed = false;
  #isKeptDown = false;
  #kills = 0;
  #starts = 0;
  #loop: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#loop = this.#run();
    await this.untilReady();
  }

  async untilReady(): Promise<void> {
    const log = (): string => this.#child?.log().slice(-3).join('; ') ?? '';
    await eventually(
      () => {
        if (!this.#isReady) throw new Error(`not ready: ${log()}`);
      },
      { what: 'a server that is ready', timeoutMs: READY_MS },
    );
  }

  signal(signal: NodeJS.Signals): void {
    if (signal === 'SIGKILL' || signal === 'SIGTERM') {
      this.#kills++;
      this.#isReady = false;
    }
    this.#child?.signal(signal);
  }

  /** Killed, and not started again for so long. */
  async keepDown(forMs: number): Promise<void> {
    this.#isKeptDown = true;
    this.signal('SIGKILL');
    try {
      await delay(forMs);
    } finally {
      this.#isKeptDown = false;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#child?.kill();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { harness, ...options } = this.#options;
    while (!this.#isClosed) {
      const kills = this.#kills;
      const name = `countersign serve ${++this.#starts}`;
      const { child, ended, printed } = await harness.process({
        ...{ ...options, name, logLines: LOG_LINES },
      });
      this.#child = child;
      // One that was asked to end while it started is another's business.
      if (kills !== this.#kills) child.signal('SIGKILL');
      let wasReady = false;
      void printed(READY).then((isReady) => {
        wasReady = isReady;
        this.#isReady = isReady && kills === this.#kills;
      });
      const { code, signal } = await ended;
      this.#isReady = false;
      const isWanted = this.#isClosed || kills !== this.#kills;
      if (wasReady && !isWanted) this.crashes.push(`${name} ended with ${signal ?? code}`);
      do await delay(PAUSE_MS);
      while (this.#isKeptDown && !this.#isClosed);
    }
  }
}
