// Whether the data folder can be written, as its writes show: a failed one is a trouble of its
// folder, from the first on, and is over as soon as one of that size works there. Where nobody
// writes, one is tried now and then: what is reported is what is, not what once was. Whoever fails
// to write tries again by itself; this only looks on.
import {
  type Cancel,
  type Clock,
  Listeners,
  type Logger,
  MeshError,
  SECOND_MS,
  systemErrorCode,
  toRfc3339,
} from '../base/index.js';
import type { DataDir } from './data-dir.js';
import type { Content, FileFacts } from './files.js';

/** A folder of the data folder, or itself, that can't be written. */
export interface DiskTrouble {
  /** The file at which it showed first, absolute. */
  readonly path: string;
  /** What the system says: `ENOSPC`. */
  readonly code: string;
  /** Ms since the epoch. */
  readonly sinceMs: number;
}

interface Failing extends DiskTrouble {
  /** Of the largest content that could not be written. */
  readonly bytes: number;
  readonly tries: number;
  readonly cancel: Cancel;
}

const FIRST_TRY_MS = 2 * SECOND_MS;
const LAST_TRY_MS = 30 * SECOND_MS;

export interface DiskWatchOptions {
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info' | 'error'>;
}

export class DiskWatch implements DataDir {
  readonly path: string;
  readonly #dataDir: DataDir;
  readonly #options: DiskWatchOptions;
  /** By folder; empty: the data folder itself. */
  readonly #failing = new Map<string, Failing>();
  /** A trouble has begun or is over. */
  readonly changes = new Listeners();

  constructor(dataDir: DataDir, options: DiskWatchOptions) {
    this.path = dataDir.path;
    this.#dataDir = dataDir;
    this.#options = options;
  }

  get troubles(): readonly DiskTrouble[] {
    return [...this.#failing.values()].map(({ path, code, sinceMs }) => ({ path, code, sinceMs }));
  }

  read(name: string): Promise<Buffer | undefined> {
    return this.#dataDir.read(name);
  }

  list(folder: string): Promise<readonly string[]> {
    return this.#dataDir.list(folder);
  }

  facts(name: string): Promise<FileFacts | undefined> {
    return this.#dataDir.facts(name);
  }

  write(name: string, content: Content): Promise<void> {
    const bytes = typeof content === 'function' ? 0 : Buffer.byteLength(content);
    return this.#watch(name, bytes, () => this.#dataDir.write(name, content));
  }

  create(name: string, content: string | Buffer): Promise<boolean> {
    return this.#watch(name, Buffer.byteLength(content), () => this.#dataDir.create(name, content));
  }

  remove(name: string): Promise<void> {
    return this.#watch(name, 0, () => this.#dataDir.remove(name));
  }

  setAside(name: string): Promise<string> {
    return this.#watch(name, 0, () => this.#dataDir.setAside(name));
  }

  tryWrite(folder: string, bytes: number): Promise<void> {
    return this.#dataDir.tryWrite(folder, bytes);
  }

  close(): Promise<void> {
    for (const { cancel } of this.#failing.values()) cancel();
    return this.#dataDir.close();
  }

  async #watch<T>(name: string, bytes: number, work: () => Promise<T>): Promise<T> {
    const folder = toFolder(name);
    try {
      const result = await work();
      this.#note(folder, bytes);
      return result;
    } catch (error) {
      if (error instanceof MeshError && error.code === 'data-unwritable') {
        this.#noteFailure(name, bytes, error);
      }
      throw error;
    }
  }

  #noteFailure(name: string, bytes: number, error: MeshError): void {
    const { clock, logger } = this.#options;
    const folder = toFolder(name);
    const code = systemErrorCode(error.cause) ?? error.variant ?? 'an error';
    const known = this.#failing.get(folder);
    if (known !== undefined) {
      this.#failing.set(folder, { ...known, code, bytes: Math.max(bytes, known.bytes) });
      return;
    }
    const trouble = { path: `${this.path}/${name}`, code, sinceMs: clock.now() };
    const cancel = this.#tryAfter(folder, FIRST_TRY_MS);
    this.#failing.set(folder, { ...trouble, bytes, tries: 0, cancel });
    const fields = { ...trouble, sinceMs: undefined, since: toRfc3339(trouble.sinceMs) };
    logger.error(fields, 'the data folder cannot be written');
    this.changes.notify();
  }

  /** So much could be written there. */
  #note(folder: string, bytes: number): void {
    const known = this.#failing.get(folder);
    if (known === undefined || bytes < known.bytes) return;
    known.cancel();
    this.#failing.delete(folder);
    const { path, sinceMs } = known;
    const fields = { path, since: toRfc3339(sinceMs) };
    this.#options.logger.info(fields, 'the data folder can be written again');
    this.changes.notify();
  }

  #tryAfter(folder: string, delayMs: number): Cancel {
    return this.#options.clock.after(delayMs, () => void this.#try(folder));
  }

  async #try(folder: string): Promise<void> {
    const known = this.#failing.get(folder);
    if (known === undefined) return;
    try {
      await this.#dataDir.tryWrite(folder, known.bytes);
      this.#note(folder, known.bytes);
    } catch {
      const still = this.#failing.get(folder);
      if (still === undefined) return;
      const tries = still.tries + 1;
      const delayMs = Math.min(FIRST_TRY_MS * 2 ** tries, LAST_TRY_MS);
      this.#failing.set(folder, { ...still, tries, cancel: this.#tryAfter(folder, delayMs) });
    }
  }
}

function toFolder(name: string): string {
  return name.includes('/') ? name.slice(0, name.indexOf('/')) : '';
}
