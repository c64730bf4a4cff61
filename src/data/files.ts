// Files of the data folder, as the system has them.
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MeshError, type Random, systemErrorCode } from '../base/index.js';
import { FILE_MODE, FOLDER_MODE, ignoreExisting, TEMPORARY } from './data-folder.js';
import { assertOwn } from './ownership.js';

/** Which file it is, whatever it is called: a copy of it, and one restored, is another. */
export interface FileIdentity {
  readonly inode: string;
  /** When it was made, ns since the epoch; absent where the file system doesn't know. */
  readonly bornNs?: string | undefined;
}

export interface FileFacts extends FileIdentity {
  readonly isFile: boolean;
  readonly size: number;
  /** Ms since the epoch. */
  readonly modifiedAtMs: number;
  /** Another where its content may be another. */
  readonly look: string;
}

/** Without waiting for whoever would write to a pipe that stands in a file's place. */
const TO_READ = constants.O_RDONLY | constants.O_NONBLOCK;

/** Of a file, or a function of the identity that it gets. */
export type Content = string | Buffer | ((identity: FileIdentity) => string);

/** Undefined where there is none. @throws the system's error */
export async function tryFacts(path: string): Promise<FileFacts | undefined> {
  try {
    const found = await stat(path, { bigint: true });
    const { ino, size, mtimeNs, mtimeMs, ctimeNs, birthtimeNs } = found;
    return {
      inode: `${ino}`,
      ...(birthtimeNs === 0n ? {} : { bornNs: `${birthtimeNs}` }),
      isFile: found.isFile(),
      size: Number(size),
      modifiedAtMs: Number(mtimeMs),
      look: [ino, size, mtimeNs, ctimeNs].join(),
    };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return undefined;
    throw error;
  }
}

/**
 * Content of a file, which nobody else may read from now on: a copy may have loosened its mode.
 * @throws MeshError data-exposed where others may have written it; data-unreadable where it is a
 * pipe or a device; the system's error
 */
export async function readOwn(path: string): Promise<Buffer> {
  const file = await open(path, TO_READ);
  try {
    const found = await file.stat();
    if (!found.isFile() && !found.isDirectory()) {
      const message = `expected ${path} to be a file but it is none`;
      throw new MeshError('data-unreadable', message, { variant: 'no-file' });
    }
    if (found.isFile()) assertOwn(path, found);
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

/** Durable content that has yet to get its name; in the same folder, so that a rename gives it. */
export async function writeTemporary(
  path: string,
  content: Content,
  { root, random }: { readonly root: string; readonly random: Random },
): Promise<string> {
  const folder = dirname(path);
  if (folder !== root) await mkdir(folder, { mode: FOLDER_MODE }).catch(ignoreExisting);
  const temporary = join(folder, `${TEMPORARY}${random.bytes(8).toString('hex')}`);
  const file = await open(temporary, 'wx', FILE_MODE);
  try {
    const whole = typeof content === 'function' ? content(await identify(file)) : content;
    await file.writeFile(whole);
    await file.sync();
  } catch (error) {
    await discard(temporary, error);
  } finally {
    await file.close();
  }
  return temporary;
}

/** Some systems give the last change for the birth: that would be another at each look. */
async function identify(file: FileHandle): Promise<FileIdentity> {
  const before = await file.stat({ bigint: true });
  await file.chmod(FILE_MODE);
  const { ino, birthtimeNs, ctimeNs } = await file.stat({ bigint: true });
  const isBirth =
    birthtimeNs !== 0n && birthtimeNs === before.birthtimeNs && birthtimeNs !== ctimeNs;
  return { inode: `${ino}`, ...(isBirth ? { bornNs: `${birthtimeNs}` } : {}) };
}

export async function discard(temporary: string, error: unknown): Promise<never> {
  await rm(temporary, { force: true });
  throw error;
}
