// The data folder itself: found or made, ours, and shut to others. A path that is mistyped may name
// a home or a project: a folder with other things in it is refused and left as it is, since 0700
// would shut others out of it, and keys would lie among files that are shown and copied.
import { constants, type Stats } from 'node:fs';
import { chmod, mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MeshError, systemErrorCode } from '../base/index.js';
import { unwritable, writing } from './data-errors.js';
import { assertOwnEntries, assertSafeWay, thisUser, writable } from './ownership.js';

export const FOLDER_MODE = 0o700;
export const FILE_MODE = 0o600;
export const LOCK_FILE = 'lock';
export const TOKEN_KEYS_FILE = 'token-keys.json';
/** Held while the token keys are changed. */
export const TOKEN_KEYS_LOCK = 'token-keys.lock';
export const GITIGNORE_FILE = '.gitignore';
export const TEMPORARY = '.tmp-';

/** Any of these makes a folder ours: whatever comes first into one is among them. */
const OURS: readonly string[] = [
  'authority.json',
  TOKEN_KEYS_FILE,
  'xds-anchor.json',
  'data-manifest.json',
];
/** What a folder may hold that is as good as empty; a new file system has `lost+found`. */
const NOTHING: readonly string[] = [LOCK_FILE, TOKEN_KEYS_LOCK, GITIGNORE_FILE, 'lost+found'];

/**
 * Sees to it that there is a folder of ours, with mode 0700, which nobody else can change.
 * @returns Whether it holds something already.
 * @throws MeshError data-missing, data-foreign, data-exposed, data-unwritable.
 */
export async function prepareFolder(path: string, create: boolean): Promise<boolean> {
  const found = await stat(path).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw unwritable(path, error);
  });
  if (found === undefined) {
    if (!create) throw missing(path, 'there is none');
    await assertSafeWay(path);
    await writing(path, async () => {
      await makeFolder(path);
      await syncFolder(dirname(path));
    });
    return false;
  }
  if (!found.isDirectory()) {
    throw new MeshError('data-unwritable', `expected a folder at ${path} but got a file`);
  }
  refuseOwner(path, found);
  await assertSafeWay(path);
  return claim(path, found, create);
}

/** Root could use it, but who owns it may move what is in it. */
function refuseOwner(path: string, { uid }: Stats): void {
  const user = thisUser();
  if (user === undefined || uid === user.uid) return;
  const message = `expected a data folder of user ${user.uid} at ${path} but it is user ${uid}'s`;
  throw new MeshError('data-unwritable', message, {
    variant: 'other-user',
    hint: `run as that user, or look at what is in it and \`chown -R ${user.uid} ${path}\``,
  });
}

async function claim(path: string, found: Stats, create: boolean): Promise<boolean> {
  try {
    const names = await readdir(path);
    refuseForeign(path, names);
    // Before anything of it is changed: it may be somebody else's empty folder.
    if (!create && !isOurs(names)) throw missing(path, 'it is empty');
    if (isOurs(names)) {
      if ((found.mode & 0o022) !== 0) throw writable(path, 'folder');
      await assertOwnEntries(path, names);
    }
    // A folder that others may read would show them every private key that is put in it.
    if ((found.mode & 0o077) !== 0) await chmod(path, FOLDER_MODE);
    return isOurs(names);
  } catch (error) {
    throw error instanceof MeshError ? error : unwritable(path, error);
  }
}

function isOurs(names: readonly string[]): boolean {
  return names.some((name) => OURS.includes(name));
}

function missing(path: string, got: string): MeshError {
  const message = `expected a data folder at ${path} but ${got}`;
  return new MeshError('data-missing', message, { variant: 'folder' });
}

function refuseForeign(path: string, names: readonly string[]): void {
  if (isOurs(names)) return;
  const other = names.find((name) => !NOTHING.includes(name) && !name.startsWith(TEMPORARY));
  if (other === undefined) return;
  const message = `expected a data folder at ${path} but it holds other things, such as "${other}"`;
  throw new MeshError('data-foreign', message);
}

/**
 * Makes a folder and what is missing above it. Not by mkdir's `recursive`: that one spins for ever
 * where a folder exists but refuses with ENOENT, as /proc does (seen with Node 20.20).
 */
export async function makeFolder(path: string, mode = FOLDER_MODE): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    const above = dirname(path);
    if (systemErrorCode(error) !== 'ENOENT' || above === path) return ignoreExisting(error);
    await makeFolder(above, mode);
    await mkdir(path, { mode }).catch(ignoreExisting);
  }
}

/** A rename is durable only once the folder that holds the name is on the disk. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export function ignoreExisting(error: unknown): void {
  if (systemErrorCode(error) !== 'EEXIST') throw error;
}
