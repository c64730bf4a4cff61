// A file of the system's that we change: whoever it belongs to, and whoever may read it, stays. It
// is replaced by a rename where that is possible, so that nobody reads half of it; not where it is
// mounted by itself, as a container's /etc/hosts is, or where its folder can't be written.
import { constants } from 'node:fs';
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MeshError, type Random, systemErrorCode } from '../base/index.js';

export interface SystemFile {
  /** Without symbolic links. */
  readonly path: string;
  /** As latin1, in which each byte is a character. */
  readonly text: string;
  replace(text: string): Promise<void>;
}

/** Where a rename fails by these, the file itself may well be written. */
const NOT_BY_RENAME: ReadonlySet<string> = new Set(['EBUSY', 'EXDEV', 'EACCES', 'EPERM', 'EROFS']);

/** @throws MeshError file-unwritable, now and by `replace` */
export async function openSystemFile(given: string, random: Random): Promise<SystemFile> {
  return changing(given, async () => {
    const path = await realpath(given);
    const { isRegular, links } = await look(path);
    if (!isRegular) {
      throw new MeshError('file-unwritable', `expected a file at ${given} but got something else`);
    }
    return {
      path,
      text: await readFile(path, 'latin1'),
      replace: (text) =>
        changing(given, async () => {
          const content = Buffer.from(text, 'latin1');
          const isDone = links === 1 && (await tryRename(path, content, random));
          if (!isDone) await overwrite(path, content);
        }),
    };
  });
}

async function look(path: string): Promise<{ isRegular: boolean; links: number }> {
  const found = await stat(path);
  return { isRegular: found.isFile(), links: found.nlink };
}

/** False where it must be written where it is. */
async function tryRename(path: string, content: Buffer, random: Random): Promise<boolean> {
  const { mode, uid, gid } = await stat(path);
  const temporary = join(dirname(path), `.${basename(path)}.${random.bytes(6).toString('hex')}`);
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(content);
      await handle.chown(uid, gid);
      await handle.chmod(mode & 0o7777);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    return true;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    if (NOT_BY_RENAME.has(systemErrorCode(error) ?? '')) return false;
    throw error;
  }
}

async function overwrite(path: string, content: Buffer): Promise<void> {
  const handle = await open(path, constants.O_RDWR);
  try {
    await handle.write(content, 0, content.length, 0);
    await handle.truncate(content.length);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function changing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    const code = systemErrorCode(cause) ?? 'an error';
    throw new MeshError('file-unwritable', `expected to change ${path} but got ${code}`, { cause });
  }
}
