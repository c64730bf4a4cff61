// Who may change the data folder beside its server. Whoever owns a file or may write it can put
// another in its place, and whoever may write a folder can move what is in it: a CA's keys, or the
// list of who is shut out. So a foreign owner, or a right to write for others, is refused, whoever
// runs the server: root, who could read it all the same, would trust somebody else's word. Others'
// right to read is taken away instead (data-folder.ts): what lies there was written by us.
import { constants, type Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { MeshError, systemErrorCode } from '../base/index.js';

export type Owned = Pick<Stats, 'uid' | 'gid' | 'mode'>;

/** By whom a folder is used; undefined where the system knows no users. */
export interface User {
  readonly uid: number;
  /** Of all groups that the user is in. */
  readonly gids: readonly number[];
}

const WRITABLE_BY_OTHERS = constants.S_IWGRP | constants.S_IWOTH;
const STICKY = 0o1000;
/** As many as the system follows. */
const MAX_LINKS = 40;

export function thisUser(): User | undefined {
  const [uid, gid] = [process.geteuid?.(), process.getegid?.()];
  if (uid === undefined || gid === undefined) return undefined;
  return { uid, gids: [gid, ...(process.getgroups?.() ?? [])] };
}

/** @throws MeshError data-exposed where another than this user owns or may write the file */
export function assertOwn(path: string, { uid, mode }: Pick<Owned, 'uid' | 'mode'>): void {
  const user = thisUser();
  if (user === undefined) return;
  if (uid !== user.uid) throw exposed(path, `it is user ${uid}'s`, `chown ${user.uid} ${path}`);
  if ((mode & WRITABLE_BY_OTHERS) !== 0) throw writable(path);
}

/** The same for all that is in the folder. @throws MeshError data-exposed */
export async function assertOwnEntries(path: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const found = await lstat(join(path, name)).catch(() => undefined);
    // A link's own mode says nothing; what it leads to is looked at when it is read.
    if (found?.isSymbolicLink() === true) assertOwn(join(path, name), { uid: found.uid, mode: 0 });
    else if (found !== undefined) assertOwn(join(path, name), found);
  }
}

/** Names of what is in a folder, which must be ours. @throws MeshError data-exposed */
export async function readOwnFolder(path: string): Promise<readonly string[]> {
  assertOwn(path, await lstat(path));
  return readdir(path);
}

/**
 * Looks at every folder that a path leads through, those of symbolic links too: whoever may rename
 * in one of them puts another data folder under that path.
 * @throws MeshError data-exposed
 */
export async function assertSafeWay(path: string): Promise<void> {
  const user = thisUser();
  if (user === undefined) return;
  const system = await lstat('/');
  for (const { at, stats } of await folderWay(path)) {
    const problem = parentProblem(stats, { user, systemUid: system.uid });
    if (problem === undefined) continue;
    const way = `move the data folder to a place of this user's, or make this one so`;
    const message = `expected ${path} where nobody else can replace it but ${at} ${problem.got}`;
    throw new MeshError('data-exposed', message, { hint: `${way}: ${problem.remedy} ${at}` });
  }
}

/** Root and this user could do as they like anyway. */
function parentProblem(
  { uid, gid, mode }: Owned,
  { user, systemUid }: { readonly user: User; readonly systemUid: number },
): { readonly got: string; readonly remedy: string } | undefined {
  if (![0, user.uid, systemUid].includes(uid)) {
    return { got: `is user ${uid}'s`, remedy: `chown ${user.uid}` };
  }
  // Whoever isn't a file's owner renames nothing in a sticky folder.
  if ((mode & STICKY) !== 0) return undefined;
  if ((mode & constants.S_IWOTH) !== 0) {
    return { got: 'may be written by others', remedy: 'chmod o-w' };
  }
  // A user's own group has nobody else in it, more often than not; a volume is given to one.
  if ((mode & constants.S_IWGRP) !== 0 && !user.gids.includes(gid)) {
    return { got: `may be written by group ${gid}`, remedy: 'chmod g-w' };
  }
  return undefined;
}

interface Passed {
  readonly at: string;
  readonly stats: Stats;
}

/** The folders above, in the order in which the system goes through them. */
async function folderWay(path: string): Promise<readonly Passed[]> {
  const passed: Passed[] = [];
  const left = dirname(resolve(path)).split('/').filter(Boolean);
  // The last step may be a link too.
  left.push(
    resolve(path)
      .slice(dirname(resolve(path)).length)
      .replace(/^\//, ''),
  );
  let at = '/';
  let links = 0;
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    if (name === '..') at = dirname(at);
    if (name === '..' || name === '.' || name === '') continue;
    const next = join(at, name);
    const stats = await tryLstat(next);
    if (stats === undefined) break;
    if (!stats.isSymbolicLink()) {
      at = next;
      // The folder itself is looked at more closely, by others.
      if (left.length > 0) passed.push({ at, stats });
      continue;
    }
    if (++links > MAX_LINKS) break;
    const target = await readlink(next);
    if (isAbsolute(target)) at = '/';
    left.unshift(...target.split('/').filter(Boolean));
  }
  return passed;
}

async function tryLstat(path: string): Promise<Stats | undefined> {
  return lstat(path).catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemErrorCode(error) ?? '')) return undefined;
    throw error;
  });
}

/** What others may write; a folder with all that they may have put in it. */
export function writable(path: string, how: 'file' | 'folder' = 'file'): MeshError {
  return exposed(path, 'others may write it', `chmod ${how === 'folder' ? '-R ' : ''}go-w ${path}`);
}

function exposed(path: string, got: string, remedy: string): MeshError {
  const message = `expected ${path} to be this user's alone but ${got}`;
  const hint = `look at what is in it: others may have changed it; then \`${remedy}\``;
  return new MeshError('data-exposed', message, { hint });
}
