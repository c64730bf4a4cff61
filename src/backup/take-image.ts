// An image of a data folder, taken beside a running server. Each file is replaced by a rename, so a
// file whose identity (inode, size, times) is the same before and after it was read was there, with
// that content, all the while; when that holds for every file at once, they are of one moment.
// Leaves are left out of that rule: they come and go all day, each stands for itself, and one that
// its issuer doesn't vouch for is issued anew.
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, MeshError, systemErrorCode } from '../base/index.js';
import { isDataName, unreadable } from '../data/index.js';
import {
  type FolderImage,
  type ImageFile,
  isPassing,
  MAX_IMAGE_BYTES,
  MAX_IMAGE_FILES,
} from './folder-image.js';

/** Files that may be open at once. */
const PARALLEL = 16;
const INDEPENDENT = /^leaves\//;
const ATTEMPTS = 40;
const PAUSE_MS = 50;

export interface TakenImage {
  readonly image: FolderImage;
  /** What is in the folder but under no name of ours: not in the image. */
  readonly leftOut: readonly string[];
}

/**
 * What a data folder holds at one moment.
 * @throws MeshError data-unreadable; timeout where it never rests; resource-limit.
 */
export async function takeImage(path: string, clock: Clock): Promise<TakenImage> {
  const { names: all, leftOut } = await listFolder(path);
  const independent = await readFiles(
    path,
    all.filter((name) => INDEPENDENT.test(name)),
  );
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const before = await fingerprint(path);
    const files = await readFiles(path, [...before.keys()]);
    if (isSame(before, await fingerprint(path))) {
      const together = [...files, ...independent].sort((a, b) => (a.name < b.name ? -1 : 1));
      return { image: { createdAtMs: clock.now(), files: limited(path, together) }, leftOut };
    }
    await new Promise<void>((resolve) => void clock.after(PAUSE_MS, resolve));
  }
  throw new MeshError('timeout', `expected ${path} to rest for a moment but it keeps changing`, {
    hint: 'run the command again',
  });
}

function limited(path: string, files: readonly ImageFile[]): readonly ImageFile[] {
  const size = files.reduce((sum, { content }) => sum + content.length, 0);
  if (size <= MAX_IMAGE_BYTES && files.length <= MAX_IMAGE_FILES) return files;
  const most = `${MAX_IMAGE_FILES} files and ${MAX_IMAGE_BYTES / 2 ** 20} MiB`;
  const got = `${files.length} files and ${Math.ceil(size / 2 ** 20)} MiB`;
  throw new MeshError('resource-limit', `expected at most ${most} in ${path} but got ${got}`, {
    hint: 'look for files that are not of the server',
  });
}

/** Names of our form, sorted, and all other things. */
async function listFolder(path: string): Promise<{ names: string[]; leftOut: string[] }> {
  const names: string[] = [];
  const leftOut: string[] = [];
  const visit = async (folder: string): Promise<void> => {
    for (const entry of await reading(path, () => readEntries(join(path, folder)))) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (isPassing(entry.name)) continue;
      if (entry.isDirectory() && folder === '') await visit(name);
      else if (entry.isFile() && isDataName(name)) names.push(name);
      else leftOut.push(name);
    }
  };
  await visit('');
  return { names: names.sort(), leftOut: leftOut.sort() };
}

async function readEntries(path: string) {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** By name, of the files that must be of one moment: what shows that it was not replaced. */
async function fingerprint(path: string): Promise<ReadonlyMap<string, string>> {
  const { names } = await listFolder(path);
  const found = new Map<string, string>();
  for (const name of names.filter((one) => !INDEPENDENT.test(one))) {
    const stats = await reading(path, () => tryStat(join(path, name)));
    if (stats === undefined) continue;
    const { ino, size, mtimeNs, ctimeNs } = stats;
    found.set(name, [ino, size, mtimeNs, ctimeNs].join());
  }
  return found;
}

async function tryStat(path: string) {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function isSame(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name) === value);
}

/** Those that are still there. */
async function readFiles(path: string, names: readonly string[]): Promise<readonly ImageFile[]> {
  const files: ImageFile[] = [];
  const left = [...names];
  const work = async (): Promise<void> => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const content = await tryRead(join(path, name));
      if (content !== undefined) files.push({ name, content });
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return files;
}

async function tryRead(path: string): Promise<Buffer | undefined> {
  return reading(path, async () => {
    const file = await open(path, 'r').catch((error: unknown) => {
      if (systemErrorCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    try {
      return await file?.readFile();
    } finally {
      await file?.close();
    }
  });
}

async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof MeshError ? error : unreadable(path, error);
  }
}
