// The data folder: everything that must outlive the server (authority, leaves, token keys). Folder
// 0700, files 0600. A write is atomic and durable: a temporary file in the same folder, fsync,
// rename (or link, where the file must not exist yet), fsync of the folder; a crash leaves the old
// content or the new one, never a mixture. Commands work beside a running server, so only a server
// takes the lock. What is read and does not make sense is `data-damaged`, and is never overwritten:
// it may be all that is left of a CA.

import assert from 'node:assert';
import { link, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import {
  type Clock,
  MeshError,
  type Random,
  systemClock,
  systemErrorCode,
  systemRandom,
} from '../base/index.js';
import { unreadable, writing } from './data-errors.js';
import {
  FILE_MODE,
  FOLDER_MODE,
  ignoreExisting,
  LOCK_FILE,
  prepareFolder,
  syncFolder,
  TEMPORARY,
} from './data-folder.js';
import { type DataLock, takeDataLock } from './data-lock.js';
import { writeGitignore } from './gitignore.js';
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
  /** Replaces a file or makes it; durable when the promise resolves. @throws data-unwritable */
  write(name: string, content: string | Buffer): Promise<void>;
  /**
   * Makes a file that must not exist yet: of several callers, in several processes too, exactly one
   * gets `true`, and the others find that one's whole content. @throws data-unwritable
   */
  create(name: string, content: string | Buffer): Promise<boolean>;
  /** Removes a file; does nothing where there is none. @throws data-unwritable */
  remove(name: string): Promise<void>;
  /**
   * Renames a file that makes no sense so that it can be examined; its new name.
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
  return new FileDataDir(path, random, lock);
}

class FileDataDir implements DataDir {
  readonly path: string;
  readonly #random: Random;
  readonly #lock: DataLock | undefined;

  constructor(path: string, random: Random, lock: DataLock | undefined) {
    this.path = path;
    this.#random = random;
    this.#lock = lock;
  }

  async read(name: string): Promise<Buffer | undefined> {
    const path = this.#toPath(name);
    try {
      return await readTightened(path);
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return undefined;
      throw unreadable(path, error);
    }
  }

  async list(folder: string): Promise<readonly string[]> {
    const path = this.#toPath(folder);
    try {
      const names = await readdir(path);
      return names.filter((name) => !name.startsWith('.')).sort();
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return [];
      throw unreadable(path, error);
    }
  }

  async write(name: string, content: string | Buffer): Promise<void> {
    const path = this.#toPath(name);
    await writing(path, async () => {
      const temporary = await this.#writeTemporary(path, content);
      await rename(temporary, path).catch((error: unknown) => discard(temporary, error));
      await syncFolder(dirname(path));
    });
  }

  async create(name: string, content: string | Buffer): Promise<boolean> {
    const path = this.#toPath(name);
    return writing(path, async () => {
      const temporary = await this.#writeTemporary(path, content);
      try {
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
    await writing(path, async () => {
      await rm(path, { force: true });
    });
  }

  async setAside(name: string): Promise<string> {
    const aside = `${name}.damaged-${this.#random.bytes(4).toString('hex')}`;
    const path = this.#toPath(name);
    await writing(path, async () => {
      await rename(path, this.#toPath(aside));
      await syncFolder(dirname(path));
    });
    return aside;
  }

  async tryWrite(folder: string, bytes: number): Promise<void> {
    const path = folder === '' ? this.path : this.#toPath(folder);
    await writing(path, async () => {
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

  async #writeTemporary(path: string, content: string | Buffer): Promise<string> {
    const folder = dirname(path);
    if (folder !== this.path) await mkdir(folder, { mode: FOLDER_MODE }).catch(ignoreExisting);
    const temporary = join(folder, `${TEMPORARY}${this.#random.bytes(8).toString('hex')}`);
    const file = await open(temporary, 'wx', FILE_MODE);
    try {
      await file.writeFile(content);
      await file.sync();
    } catch (error) {
      await discard(temporary, error);
    } finally {
      await file.close();
    }
    return temporary;
  }
}

/** Content of a file, which nobody else may read from now on: a copy may have loosened its mode. */
async function readTightened(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const found = await file.stat();
    if (found.isFile() && (found.mode & 0o077) !== 0) {
      // Best effort (a folder may be mounted to be read only): the folder's own mode keeps others
      // out too.
      await file.chmod(FILE_MODE).catch(() => undefined);
    }
    return await file.readFile();
  } finally {
    await file.close();
  }
}

async function discard(temporary: string, error: unknown): Promise<never> {
  await rm(temporary, { force: true });
  throw error;
}

/**
 * The error for content that is not what was stored; `what` says what was expected, without
 * content.
 */
export function damaged(options: {
  readonly dataDir: Pick<DataDir, 'path'>;
  readonly name: string;
  readonly what: string;
  readonly cause?: unknown;
}): MeshError {
  const { dataDir, name, what, cause } = options;
  return new MeshError('data-damaged', `${join(dataDir.path, name)}: ${what}`, {
    cause,
    hint: 'restore this file from a backup; nothing was overwritten',
  });
}
