// Files that a user asked for, outside the data folder. A reader sees either the old content or the
// new.
import { statSync } from 'node:fs';
import { type FileHandle, link, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MeshError, type Random, systemErrorCode } from '../base/index.js';
import { makeFolder } from '../data/index.js';

export const PRIVATE_MODE = 0o600;
export const PUBLIC_MODE = 0o644;
/** Narrowed by the umask, as `mkdir` makes folders. */
const FOLDER_MODE = 0o777;

export interface OutputFile {
  readonly path: string;
  readonly content: string | Buffer;
  readonly mode: number;
  readonly random: Random;
}

/**
 * Replaces a file or makes it, and its folder; durable when the promise resolves.
 * @throws MeshError file-unwritable
 */
export async function writeOutput(file: OutputFile): Promise<void> {
  await writing(file.path, async () => {
    const temporary = await writeTemporary(file);
    await rename(temporary, file.path);
  });
}

/**
 * Makes a file that must not exist yet, and its folder.
 * @throws MeshError file-exists, file-unwritable
 */
export async function createOutput(file: OutputFile, hint: string): Promise<void> {
  await writing(file.path, async () => {
    const temporary = await writeTemporary(file);
    try {
      // Unlike rename, link refuses to replace.
      await link(temporary, file.path);
    } catch (cause) {
      if (systemErrorCode(cause) !== 'EEXIST') throw cause;
      throw new MeshError('file-exists', `expected no file at ${file.path} but there is one`, {
        cause,
        hint,
      });
    } finally {
      await rm(temporary, { force: true });
    }
  });
}

async function writeTemporary({ path, content, mode, random }: OutputFile): Promise<string> {
  await makeFolder(dirname(path), FOLDER_MODE);
  const suffix = random.bytes(6).toString('hex');
  const temporary = join(dirname(path), `.${basename(path)}.${suffix}`);
  const handle = await open(temporary, 'wx', mode);
  try {
    await fill(handle, content, mode);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  return temporary;
}

async function fill(handle: FileHandle, content: string | Buffer, mode: number): Promise<void> {
  // The umask has narrowed the mode that `open` was given, so set it again.
  await handle.chmod(mode);
  await handle.writeFile(content);
  await handle.sync();
}

async function writing(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    const inTheWay = fileAbove(path);
    const code = systemErrorCode(cause) ?? 'an error';
    const got = inTheWay === undefined ? `got ${code}` : `${inTheWay} is not a folder`;
    throw new MeshError('file-unwritable', `expected to write ${path} but ${got}`, {
      cause,
      hint: inTheWay === undefined ? 'name a place that this user may write to' : 'name a folder',
    });
  }
}

/** The part of the path that should be a folder but isn't. */
function fileAbove(path: string): string | undefined {
  for (let above = dirname(path); ; above = dirname(above)) {
    try {
      return statSync(above).isDirectory() ? undefined : above;
    } catch {
      if (above === dirname(above)) return undefined;
    }
  }
}
