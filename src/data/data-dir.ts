// The data folder: everything that must outlive the server (authority, leaves, token keys). Folder
// 0700, files 0600. A write is atomic and durable: a temporary file in the same folder, fsync,
// rename (or link, where the file must not exist yet), fsync of the folder; a crash leaves the old
// content or the new one, never a mixture. Commands work beside a running server, so only a server
// takes the lock. What is read and does not make sense is `data-damaged`, and is never overwritten:
// it may be all that is left of a CA.

import assert from 'node:assert';
import { access, link, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import {
  type Clock,
  MeshError,
  type Random,
  systemClock,
  systemErrorCode,
  systemRandom,
  toRfc3339,
} from '../base/index.js';
import { replaced, unreadable, writing } from './data-errors.js';
import { LOCK_FILE, prepareFolder, syncFolder } from './data-folder.js';
import { type DataLock, takeDataLock } from './data-lock.js';
import {
  type Content,
  discard,
  type FileFacts,
  readOwn,
  tryFacts,
  writeTemporary,
} from './files.js';
import { writeGitignore } from './gitignore.js';
import { readOwnFolder } from './ownership.js';
import { removeStale } from './stale-files.js';

/** The folder as its users see it. Names are `file` or `folder/file`, of `a-z 0-9 . -`. */
export interface DataDir {
  /** Absolute. */
  readonly path: string;
  /** Content of a file; undefined where there is none. @throws data-unreadable */
  read(name: string): Promise<Buffer | undefined>;
  /**
   * Names of the files of a sub-folder, sorted; none where it does not exist.
   * @throws data-unreadable
   */
  list(folder: string): Promise<readonly string[]>;
  /** What the system says of a file or sub-folder. @throws data-unreadable */
  facts(name: string): Promise<FileFacts | undefined>;
  /** Replaces a file or makes it; durable when the promise resolves. @throws data-unwritable */
  write(name: string, content: Content): Promise<void>;
  /**
   * Makes a file that must not exist yet: of several callers, in several processes too, exactly one
   * gets `true`, and the others find that one's whole content. @throws data-unwritable
   */
  create(name: string, content: string | Buffer): Promise<boolean>;
  /** Removes a file; does nothing where there is none. @throws data-unwritable */
  remove(name: string): Promise<void>;
  /**
   * Renames a file that makes no sense so that it can be examined; its new name, with the time.
   * @throws data-unwritable
   */
  setAside(name: string): Promise<string>;
  /**
   * Writes so many bytes into a folder of it (empty: itself), and removes them again.
   * @throws data-unwritable
   */
  tryWrite(folder: string, bytes: number): Promise<void>;
  /** Gives back the lock, if this opening took it. */
  close(): Promise<void>;
}

export interface DataDirOptions {
  readonly path: string;
  /** Take the lock that keeps a second server out, and remove what killed processes left. */
  readonly lock: boolean;
  /**
   * Make the folder where there is none, or take over an empty one (default); else either is
   * `data-missing`: a mistyped path must not become the folder of another mesh.
   */
  readonly create?: boolean;
  readonly random?: Random;
  /** Says which temporary files are old enough to be a killed process's. */
  readonly clock?: Clock;
}

/** Never there: only its temporary file is. */
const TRIAL = 'trial';
const NAME = /^[a-z0-9][a-z0-9.-]*(\/[a-z0-9][a-z0-9.-]*)?$/;

/** Whether a file within the data folder may have this name. */
export function isDataName(name: string): boolean {
  return NAME.test(name);
}

/**
 * Opens the data folder, making it (0700) where it does not exist and tightening it to 0700 where
 * it is open to others. A folder that holds other things is refused as it is.
 * @throws MeshError data-missing, data-foreign, data-unwritable, data-locked.
 */
export async function openDataDir(options: DataDirOptions): Promise<DataDir> {
  const path = resolve(options.path);
  const random = options.random ?? systemRandom;
  const create = options.create ?? true;
  const isInUse = await prepareFolder(path, create);
  await writing(path, () => writeGitignore(path, random)).catch((error: unknown) => {
    // No key is to be written before it; a folder that has its keys may be one to read only.
    if (create && !isInUse) throw error;
  });
  const lock = options.lock ? await takeDataLock(join(path, LOCK_FILE)) : undefined;
  if (lock !== undefined) await removeStale(path, (options.clock ?? systemClock).now());
  return new FileDataDir({ ...options, path, random }, lock);
}

class FileDataDir implements DataDir {
  readonly path: string;
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #lock: DataLock | undefined;

  constructor(
    { path, random, clock }: Pick<DataDirOptions, 'path' | 'clock'> & { readonly random: Random },
    lock: DataLock | undefined,
  ) {
    this.path = path;
    this.#random = random;
    this.#clock = clock ?? systemClock;
    this.#lock = lock;
  }

  async read(name: string): Promise<Buffer | undefined> {
    const path = this.#toPath(name);
    return this.#reading(path, () => readOwn(path), undefined);
  }

  async list(folder: string): Promise<readonly string[]> {
    const path = this.#toPath(folder);
    const names = await this.#reading(path, () => readOwnFolder(path), []);
    return names.filter((name) => !name.startsWith('.')).sort();
  }

  async facts(name: string): Promise<FileFacts | undefined> {
    const path = this.#toPath(name);
    return this.#reading(path, () => tryFacts(path), undefined);
  }

  async write(name: string, content: Content): Promise<void> {
    const path = this.#toPath(name);
    await this.#writing(path, async () => {
      const temporary = await this.#writeTemporary(path, content);
      await this.#assertInPlace().catch((error: unknown) => discard(temporary, error));
      await rename(temporary, path).catch((error: unknown) => discard(temporary, error));
      await syncFolder(dirname(path));
    });
  }

  async create(name: string, content: string | Buffer): Promise<boolean> {
    const path = this.#toPath(name);
    return this.#writing(path, async () => {
      const temporary = await this.#writeTemporary(path, content);
      try {
        await this.#assertInPlace();
        // Unlike rename, link refuses to replace: the file appears whole, and only once.
        await link(temporary, path);
        return true;
      } catch (error) {
        if (systemErrorCode(error) === 'EEXIST') return false;
        throw error;
      } finally {
        await rm(temporary, { force: true });
        await syncFolder(dirname(path));
      }
    });
  }

  async remove(name: string): Promise<void> {
    const path = this.#toPath(name);
    await this.#writing(path, async () => {
      await rm(path, { force: true });
    });
  }

  async setAside(name: string): Promise<string> {
    const path = this.#toPath(name);
    return this.#writing(path, async () => {
      const aside = await this.#toAside(name);
      await rename(path, this.#toPath(aside));
      await syncFolder(dirname(path));
      return aside;
    });
  }

  async tryWrite(folder: string, bytes: number): Promise<void> {
    const path = folder === '' ? this.path : this.#toPath(folder);
    await this.#writing(path, async () => {
      const temporary = await this.#writeTemporary(join(path, TRIAL), Buffer.alloc(bytes));
      await rm(temporary, { force: true });
    });
  }

  async close(): Promise<void> {
    this.#lock?.release();
  }

  #toPath(name: string): string {
    assert(isDataName(name), `not a name within the data folder: ${name}`);
    return join(this.path, name);
  }

  #writeTemporary(path: string, content: Content): Promise<string> {
    return writeTemporary(path, content, { root: this.path, random: this.#random });
  }

  /** Named by the time, `mesh.json.damaged-20260102t030405z`; no earlier one is written over. */
  async #toAside(name: string): Promise<string> {
    const time = toRfc3339(this.#clock.now())
      .replace(/[-:]|\.\d+/g, '')
      .toLowerCase();
    const first = `${name}.damaged-${time}`;
    for (let count = 1; ; count++) {
      const aside = count === 1 ? first : `${first}.${count}`;
      const isFree = await access(this.#toPath(aside)).then(
        () => false,
        () => true,
      );
      if (isFree) return aside;
    }
  }

  /** `none` where there is no such file in this folder; not where the folder itself is gone. */
  async #reading<T>(path: string, work: () => Promise<T>, none: T): Promise<T> {
    if (!(await this.#isInPlace())) throw replaced(this.path, 'read');
    try {
      return await work();
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return none;
      throw error instanceof MeshError ? error : unreadable(path, error);
    }
  }

  async #writing<T>(path: string, work: () => Promise<T>): Promise<T> {
    await this.#assertInPlace();
    return writing(path, work);
  }

  /** Before a write, and again before it gets its name: to write takes a while. */
  async #assertInPlace(): Promise<void> {
    if (!(await this.#isInPlace())) throw replaced(this.path, 'write');
  }

  /** Without the lock nobody can tell; a command is over before it matters. */
  async #isInPlace(): Promise<boolean> {
    return this.#lock === undefined || this.#lock.isInPlace();
  }
}
