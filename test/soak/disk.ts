// A small disk of the soak's own: a tmpfs in a mount namespace that a process keeps, so that
// nothing is left of it when that process has ended, however it ends.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemErrorCode } from '../../src/base/index.js';
import type { Harness } from '../harness/index.js';

const SIZE = '12m';
const INODES = 1_500;
const BLOCK = 4_096;

export interface Disk {
  /** How this process reaches a path of the disk. */
  seen(path: string): string;
  /** The command line that runs a command where the disk is mounted. */
  within(command: string, args: readonly string[]): { command: string; args: readonly string[] };
  /** No byte more, or no file more, until `makeRoom`. */
  fill(what: 'bytes' | 'files'): void;
  makeRoom(): void;
  /** Another disk is mounted over that folder, until `uncover`. */
  cover(folder: string): void;
  uncover(folder: string): void;
}

/** A disk that is mounted at that folder; it takes root. */
export async function mountDisk(harness: Harness, folder: string): Promise<Disk> {
  mkdirSync(folder, { mode: 0o700 });
  const options = `mode=0700,size=${SIZE},nr_inodes=${INODES}`;
  const mount = `mount -t tmpfs -o ${options} tmpfs '${folder}' && echo mounted`;
  const args = ['-m', 'sh', '-c', `${mount} && exec sleep infinity`];
  const keeper = await harness.process({ name: 'small disk', command: 'unshare', args });
  if (!(await keeper.printed(/^mounted/m))) {
    throw keeper.child.failure('expected the right to mount a disk but there is none');
  }
  const { pid } = keeper.child;
  const seen = (path: string): string => `/proc/${pid}/root${path}`;
  const ballast = seen(join(folder, 'ballast'));
  const within: Disk['within'] = (command, rest) => ({
    command: 'nsenter',
    args: [`--mount=/proc/${pid}/ns/mnt`, '--', command, ...rest],
  });
  const run = (command: string, ...rest: readonly string[]): void => {
    const line = within(command, rest);
    execFileSync(line.command, line.args);
  };
  return {
    seen,
    within,
    fill(what) {
      mkdirSync(ballast);
      if (what === 'bytes') untilFull(() => writeAll(join(ballast, 'bytes')));
      else untilFull(() => writeFiles(ballast));
    },
    makeRoom: () => rmSync(ballast, { recursive: true, force: true }),
    cover: (path) => run('mount', '-t', 'tmpfs', '-o', 'mode=0700', 'tmpfs', path),
    uncover: (path) => run('umount', '-l', path),
  };
}

function untilFull(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (systemErrorCode(error) === 'ENOSPC') return;
    throw error;
  }
  throw new Error('expected a full disk but there is room');
}

function writeAll(path: string): void {
  const file = openSync(path, 'a');
  try {
    for (let blocks = 0; blocks < 100_000; blocks++) writeSync(file, Buffer.alloc(BLOCK));
  } finally {
    closeSync(file);
  }
}

function writeFiles(folder: string): void {
  for (let files = 0; files <= INODES; files++) writeFileSync(join(folder, `${files}`), '');
}
