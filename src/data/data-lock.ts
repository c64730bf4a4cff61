// The lock that keeps two servers off one data folder. It is the kernel's: flock(2) on the file
// `lock`, which dies with the open file, so kill -9 leaves nothing stale, a reused process id fools
// nobody, and two containers that share a volume exclude each other. Node has no flock call, but an
// flock belongs to the open file, not to the process: we open it, hand it to a short-lived `flock`
// (util-linux, busybox) as descriptor 3, and keep holding the lock after that tool has ended.
// docs/decisions has the options.
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, MeshError, systemErrorCode, toSeconds } from '../base/index.js';
import { toRefusal } from './data-errors.js';

export interface DataLock {
  /**
   * Whether the locked file is still the one of that name: else the folder is gone, or another
   * stands in its place, and nobody keeps a second server out of that one.
   */
  isInPlace(): Promise<boolean>;
  /** Gives the lock back; calling it again does nothing. */
  release(): void;
}

/** What `flock -n` exits with where another holds the lock. */
const CONFLICT_STATUS = 1;
/** `isLockHeld` holds it for less than the start of a process takes. */
const ATTEMPTS = 3;
/** A command holds such a lock for the time of a write. */
const LONGEST_WAIT_MS = 10_000;

/**
 * Takes the lock, or fails at once.
 * @param path The lock file; it is never removed, since a lock on a removed file excludes nobody.
 * @throws MeshError data-locked naming the holder's process id, data-unwritable.
 */
export async function takeDataLock(path: string): Promise<DataLock> {
  const fd = openLockFile(path);
  try {
    let status = await runFlock(fd);
    for (let left = ATTEMPTS; status === CONFLICT_STATUS && left > 1; left--) {
      status = await runFlock(fd);
    }
    if (status === CONFLICT_STATUS) throw locked(path);
    if (status !== 0) throw cannotLock(path, `flock's exit status ${status}`);
    noteHolder(fd);
  } catch (error) {
    closeSync(fd);
    if (error instanceof MeshError) throw error;
    throw cannotLock(path, systemErrorCode(error) ?? 'an error', error);
  }
  return new HeldLock(path, fd);
}

class HeldLock implements DataLock {
  readonly #path: string;
  readonly #fd: number;
  readonly #identity: string;
  #held = true;

  constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
    this.#identity = toIdentity(fstatSync(fd, { bigint: true }));
  }

  async isInPlace(): Promise<boolean> {
    try {
      return toIdentity(await stat(this.#path, { bigint: true })) === this.#identity;
    } catch (error) {
      // What can't be told now is taken for so.
      return !['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '');
    }
  }

  release(): void {
    if (this.#held) closeSync(this.#fd);
    this.#held = false;
  }
}

function toIdentity({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${dev}:${ino}`;
}

/**
 * Whether somebody holds the lock now. It is found out by sharing the lock for an instant, in a
 * process that does nothing else; where that can't be done, somebody may: true.
 */
export function isLockHeld(path: string): Promise<boolean> {
  // `flock` would make it, with a mode of its own.
  if (!existsSync(path)) return Promise.resolve(false);
  return new Promise((done) => {
    const child = spawn('flock', ['-s', '-n', path, 'true'], { stdio: 'ignore' });
    child.once('error', () => done(true));
    child.once('exit', (status) => done(status !== 0));
  });
}

/**
 * Takes a lock that commands hold for a moment, in turn; its file is never removed either.
 * @throws MeshError data-locked where it isn't free within ten seconds, data-unwritable.
 */
export async function waitForDataLock(path: string, clock: Clock): Promise<DataLock> {
  const fd = openLockFile(path);
  const status = await runFlock(fd, { clock, waitMs: LONGEST_WAIT_MS }).catch((error: unknown) => {
    closeSync(fd);
    throw cannotLock(path, systemErrorCode(error) ?? 'an error', error);
  });
  if (status === 0) return new HeldLock(path, fd);
  closeSync(fd);
  if (status !== null) throw cannotLock(path, `flock's exit status ${status}`);
  const longest = `${toSeconds(LONGEST_WAIT_MS)} s`;
  const message = `expected ${path} to be free within ${longest} but it is held`;
  throw new MeshError('data-locked', message, {
    hint: 'another command changes the same file, or hangs: see which, and try again',
  });
}

/** Says who holds the lock. Only that: a full disk must not keep a server from starting. */
function noteHolder(fd: number): void {
  try {
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`);
  } catch (error) {
    if (!['ENOSPC', 'EDQUOT'].includes(systemErrorCode(error) ?? '')) throw error;
  }
}

/** A bare descriptor: a FileHandle is closed, and the lock lost, when it is garbage collected. */
function openLockFile(path: string): number {
  try {
    return openSync(path, 'a+', 0o600);
  } catch (error) {
    throw cannotLock(path, systemErrorCode(error) ?? 'an error', error);
  }
}

/**
 * The status of `flock` on the file open as `fd`; null where it was killed. Without `waiting` it
 * fails at once where another holds the lock. (busybox knows no `flock -w`: it is killed instead.)
 */
function runFlock(
  fd: number,
  waiting?: { readonly clock: Clock; readonly waitMs: number },
): Promise<number | null> {
  return new Promise((done, failed) => {
    const args = waiting === undefined ? ['-x', '-n', '3'] : ['-x', '3'];
    const child = spawn('flock', args, { stdio: ['ignore', 'ignore', 'ignore', fd] });
    const cancel = waiting?.clock.after(waiting.waitMs, () => child.kill());
    child.once('error', (error) => {
      cancel?.();
      failed(error);
    });
    child.once('exit', (status) => {
      cancel?.();
      done(status);
    });
  });
}

function locked(path: string): MeshError {
  const holder = readFileSync(path, 'utf8').trim();
  const by = /^\d+$/.test(holder) ? ` (process ${holder})` : '';
  return new MeshError('data-locked', `another server${by} holds the data folder ${dirname(path)}`);
}

function cannotLock(path: string, got: string, cause?: unknown): MeshError {
  const { path: program } = (cause ?? {}) as NodeJS.ErrnoException;
  if (got === 'ENOENT' && program === 'flock') {
    const message = `expected the program "flock" to lock ${path} with but it is not installed`;
    return new MeshError('data-unwritable', message, { cause, variant: 'flock' });
  }
  return new MeshError('data-unwritable', `expected to lock ${path} but got ${got}`, {
    cause,
    variant: (cause === undefined ? undefined : toRefusal(got)) ?? 'lock',
  });
}
