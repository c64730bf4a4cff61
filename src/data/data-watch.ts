// Commands change the data folder beside a running server (a revocation, a new token key, a CA to
// take over). Whoever reads a file of it registers here and is called whenever the folder may have
// changed: on a notice of the file system, every POLL_MS since notices may be lost, and at once
// when somebody asks. One look at a time; what changes meanwhile is another look.
import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { Cancel, Clock } from '../base/index.js';

const POLL_MS = 2_000;
/** A command may write several files: look when it has been quiet for this long. */
const SETTLE_MS = 20;

/** Reads again what it knows of the folder. What it throws is reported and changes nothing. */
export type Look = () => Promise<void>;

export interface DataWatchOptions {
  /** The data folder. */
  readonly path: string;
  /** Sub-folders that are looked at too, as soon as they exist. */
  readonly folders: readonly string[];
  /** Looks first, where it is given: while the folder is another one nobody is called. */
  readonly isSame?: () => Promise<boolean>;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

export class DataWatch {
  readonly #options: DataWatchOptions;
  /** Each with its last failure, which is reported once and not at every look. */
  readonly #looks = new Map<Look, string | undefined>();
  readonly #watchers = new Map<string, FSWatcher>();
  #cancelPoll: Cancel | undefined;
  #cancelSettle: Cancel | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: DataWatchOptions) {
    this.#options = options;
  }

  onChange(look: Look): Cancel {
    this.#looks.set(look, undefined);
    return () => this.#looks.delete(look);
  }

  start(): void {
    this.#watchAll();
    this.#poll();
  }

  /** Looks now; resolves when everybody has. */
  check(): Promise<void> {
    this.#running = this.#running.then(async () => {
      if (this.#stopped || (await this.#options.isSame?.()) === false) return;
      for (const look of [...this.#looks.keys()]) await this.#look(look);
    });
    return this.#running;
  }

  /** Resolves when no look is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#cancelPoll?.();
    this.#cancelSettle?.();
    await this.#running;
  }

  async #look(look: Look): Promise<void> {
    if (this.#stopped) return;
    try {
      await look();
      this.#looks.set(look, undefined);
    } catch (error) {
      const failure = String(error);
      if (this.#looks.get(look) !== failure) this.#options.onError(error);
      this.#looks.set(look, failure);
    }
  }

  #watchAll(): void {
    const { path, folders } = this.#options;
    for (const folder of [path, ...folders.map((name) => join(path, name))]) {
      if (!this.#watchers.has(folder)) this.#tryWatch(folder);
    }
  }

  #tryWatch(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#checkSoon());
      watcher.on('error', () => watcher.close());
      this.#watchers.set(folder, watcher);
    } catch {
      // Not there, or no notices from this file system: polling finds the change.
    }
  }

  #checkSoon(): void {
    if (this.#stopped) return;
    this.#watchAll();
    this.#cancelSettle?.();
    this.#cancelSettle = this.#options.clock.after(SETTLE_MS, () => void this.check());
  }

  #poll(): void {
    this.#cancelPoll = this.#options.clock.after(POLL_MS, () => {
      this.#watchAll();
      void this.check();
      this.#poll();
    });
  }
}
