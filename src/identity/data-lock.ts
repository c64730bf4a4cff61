// The lock that keeps two servers off one data folder. It is the kernel's: flock(2) on the file
// `lock`, which dies with the open file, so kill -9 leaves nothing stale, a reused process id fools
// nobody, and two containers that share a volume exclude each other. Node has no flock call, but an
// flock belongs to the open file, not to the process: we open it, hand it to a short-lived `flock`
// (util-linux, busybox) as descriptor 3, and keep holding the lock after that tool has ended.
// docs/decisions has the options.
import { spawn } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { MeshError, systemErrorCode } from '../base/index.js';

export interface DataLock {
  /** Gives the lock back; calling it again does nothing. */
  release(): void;
}

/** What `flock -n` exits with where another holds the lock. */
const CONFLICT_STATUS = 1;

/**
 * Takes the lock, or fails at once.
 * @param path The lock file; it is never removed, since a lock on a removed file excludes nobody.
 * @throws MeshError data-locked naming the holder's process id, data-unwritable.
 */
export async function takeDataLock(path: string): Promise<DataLock> {
  const fd = openLockFile(path);
  try {
    const status = await runFlock(fd);
    if (status === CONFLICT_STATUS) throw locked(path);
    if (status !== 0) throw cannotLock(path, `flock's exit status ${status}`);
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`);
  } catch (error) {
    closeSync(fd);
    if (error instanceof MeshError) throw error;
    throw cannotLock(path, systemErrorCode(error) ?? 'an error', error);
  }
  let held = true;
  return {
    release() {
      if (held) closeSync(fd);
      held = false;
    },
  };
}

/** A bare descriptor: a FileHandle is closed, and the lock lost, when it is garbage collected. */
function openLockFile(path: string): number {
  try {
    return openSync(path, 'a+', 0o600);
  } catch (error) {
    throw cannotLock(path, systemErrorCode(error) ?? 'an error', error);
  }
}

/** The status of `flock` on the file open as `fd`; null where it was killed. */
function runFlock(fd: number): Promise<number | null> {
  return new Promise((done, failed) => {
    const child = spawn('flock', ['-x', '-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    child.once('error', failed);
    child.once('exit', (status) => done(status));
  });
}

function locked(path: string): MeshError {
  const holder = readFileSync(path, 'utf8').trim();
  const by = /^\d+$/.test(holder) ? ` (process ${holder})` : '';
  return new MeshError(
    'data-locked',
    `another server${by} holds the data folder ${dirname(path)}`,
    {
      hint: 'stop that server, or give this one a folder of its own by --data',
    },
  );
}

function cannotLock(path: string, got: string, cause?: unknown): MeshError {
  return new MeshError('data-unwritable', `expected to lock ${path} but got ${got}`, {
    cause,
    hint: 'the folder must be writable, and `flock` (util-linux or busybox) on PATH',
  });
}
