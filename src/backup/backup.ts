// A backup: one sealed file with all that a data folder holds, the CA's and the token keys with it.
// It is taken beside a running server and put back into a folder that isn't there yet: written to a
// folder beside it, then renamed, so that a crash at any step leaves no data folder or a whole one.
// A restored folder is as good as the one that was lost: the same sidecars find the same anchor,
// token keys and leaves.
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type Clock, MeshError, type Random, systemErrorCode } from '../base/index.js';
import {
  FILE_MODE,
  FOLDER_MODE,
  GITIGNORE_FILE,
  LOCK_FILE,
  makeFolder,
  syncFolder,
  takeDataLock,
  unwritable,
  writeGitignore,
  writing,
} from '../data/index.js';
import { decodeImage, encodeImage, type FolderImage, MAX_IMAGE_BYTES } from './folder-image.js';
import { requireStrong } from './passphrase.js';
import { type SealOptions, seal, unseal } from './sealed.js';
import { takeImage } from './take-image.js';

export interface Backup {
  /** The sealed file. */
  readonly bytes: Buffer;
  /** Ms since the epoch. */
  readonly createdAtMs: number;
  readonly files: number;
  /** What is in the folder but under no name of ours: not in the backup. */
  readonly leftOut: readonly string[];
}

export interface BackupOptions extends SealOptions {
  /** The data folder. */
  readonly path: string;
  readonly clock: Clock;
}

export interface RestoreOptions {
  /** The data folder to be: absent or empty. */
  readonly path: string;
  readonly random: Random;
}

/** Files that may be open at once. */
const PARALLEL = 16;
const RESTORING = '.restoring-';

/**
 * What a data folder holds, sealed.
 * @throws MeshError usage for a weak passphrase; data-unreadable, timeout, resource-limit.
 */
export async function createBackup(options: BackupOptions): Promise<Backup> {
  requireStrong(options.passphrase);
  const { image, leftOut } = await takeImage(options.path, options.clock);
  if (image.files.length === 0) {
    throw new MeshError(
      'data-missing',
      `expected a data folder at ${options.path} but it is empty`,
      { variant: 'empty' },
    );
  }
  const bytes = await seal(await encodeImage(image), options);
  return { bytes, createdAtMs: image.createdAtMs, files: image.files.length, leftOut };
}

/**
 * What a backup holds. Nothing is written.
 * @throws MeshError usage where the file can't be read; backup-invalid, backup-damaged,
 * passphrase-wrong.
 */
export async function openBackup(path: string, passphrase: string): Promise<FolderImage> {
  return decodeImage(await unseal(await readBackup(path), passphrase));
}

async function readBackup(path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    // Never larger than what was compressed.
    if (size <= 2 * MAX_IMAGE_BYTES) return await readFile(path);
  } catch (error) {
    const code = systemErrorCode(error) ?? 'an error';
    throw new MeshError('usage', `expected a backup to read at ${path} but got ${code}`, {
      cause: error,
    });
  }
  throw new MeshError('backup-invalid', `expected a backup at ${path} but it is too large for one`);
}

/**
 * Makes the data folder, whole and durable when the promise resolves.
 * @throws MeshError file-exists where there is anything in the folder; data-locked,
 * data-unwritable.
 */
export async function restoreFolder(image: FolderImage, options: RestoreOptions): Promise<void> {
  // Through a link: a rename would not replace it.
  const path = await realpath(options.path).catch(() => resolve(options.path));
  await refuseContent(path);
  const temporary = `${path}${RESTORING}${options.random.bytes(6).toString('hex')}`;
  await writing(path, async () => {
    await makeFolder(dirname(path));
    try {
      await mkdir(temporary, { mode: FOLDER_MODE });
      await writeGitignore(temporary, options.random);
      await writeFiles(temporary, image);
      await moveInto(path, temporary);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
    await syncFolder(dirname(path));
  });
}

/** Folders that restores of this data folder have left behind: killed ones, or one that runs. */
export async function findInterrupted(path: string): Promise<readonly string[]> {
  const whole = resolve(path);
  const names = await readdir(dirname(whole)).catch(() => []);
  const prefix = `${basename(whole)}${RESTORING}`;
  return names.filter((name) => name.startsWith(prefix)).map((name) => join(dirname(whole), name));
}

/** Only a folder that no server can have anything in may be replaced. */
async function refuseContent(path: string): Promise<void> {
  const names = await readdir(path).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return [];
    if (existsSync(path)) return [basename(path)];
    throw unwritable(path, error);
  });
  const found = names.find((name) => name !== LOCK_FILE && name !== GITIGNORE_FILE);
  if (found === undefined) return;
  const message = `expected no data folder at ${path}, or an empty one, but it holds "${found}"`;
  throw new MeshError('file-exists', message, {
    variant: 'data',
  });
}

async function writeFiles(folder: string, { files }: FolderImage): Promise<void> {
  const folders = [...new Set(files.map(({ name }) => dirname(join(folder, name))))];
  for (const one of folders) {
    if (one !== folder) await mkdir(one, { mode: FOLDER_MODE });
  }
  const left = [...files];
  const work = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const file = await open(join(folder, next.name), 'wx', FILE_MODE);
      try {
        await file.writeFile(next.content);
        await file.sync();
      } finally {
        await file.close();
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  for (const one of new Set([...folders, folder])) await syncFolder(one);
}

/** Renames over nothing or over an empty folder; the system refuses any other. */
async function moveInto(path: string, temporary: string): Promise<void> {
  const isThere = (await stat(join(path, LOCK_FILE)).catch(() => undefined)) !== undefined;
  // A server that holds the folder may not have written anything yet.
  const lock = isThere ? await takeDataLock(join(path, LOCK_FILE)) : undefined;
  try {
    if (lock !== undefined) await rm(join(path, LOCK_FILE));
    // The one that is moved in has its own.
    await rm(join(path, GITIGNORE_FILE), { force: true });
    await rename(temporary, path);
  } catch (error) {
    throw refusedMove(path, error);
  } finally {
    lock?.release();
  }
}

function refusedMove(path: string, error: unknown): MeshError {
  switch (systemErrorCode(error)) {
    case 'EBUSY':
    case 'EXDEV':
      return new MeshError('data-unwritable', `expected to make ${path} but it is a mount point`, {
        cause: error,
        hint: `name a folder inside it, such as ${join(path, 'data')}`,
      });
    case 'ENOTEMPTY':
    case 'EEXIST':
      return new MeshError('file-exists', `expected ${path} to stay empty but something came in`, {
        cause: error,
        hint: 'a server has started there: stop it, and see what it has made',
      });
    default:
      return unwritable(path, error);
  }
}
