// Runs the real command line in a process of its own, with a fault let in at a given step
// (fault.mjs).
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { run } from '../../src/cli/program.js';
import type { Io } from '../../src/terminal/index.js';
import { keepOutput } from '../secrets/output.js';

const MAIN = join(import.meta.dirname, '../../dist/cli/main.js');
const PRELOAD = join(import.meta.dirname, 'fault.mjs');

/** What goes wrong, and at which of the steps that change a file. */
export interface Fault {
  /** `kill`, or the code of a system error, which then stays. */
  readonly kind: 'kill' | 'ENOSPC' | 'EROFS' | 'EIO' | 'EDQUOT';
  readonly at: number;
}

export interface CommandOptions {
  readonly argv: readonly string[];
  /** Only changes under this folder count. */
  readonly root: string;
  readonly fault?: Fault;
  /** A file; while it is there, changes fail with the error code that it holds. */
  readonly switchPath?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Every step that changes a file, in order: `<operation> <path>`; `! ` where it was refused. */
  readonly steps: readonly string[];
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout(): string;
  stderr(): string;
  /** Resolves with true as soon as stdout matches; false where the process ends before. */
  printed(pattern: RegExp): Promise<boolean>;
}

let logs = 0;

export function startCommand(options: CommandOptions): Started {
  const { argv, root, fault, switchPath } = options;
  const log = `${root}.steps-${logs++}`;
  const child = spawn(process.execPath, ['--import', PRELOAD, MAIN, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ...options.env,
      FAULT_ROOT: root,
      FAULT_LOG: log,
      ...(fault === undefined ? {} : { FAULT_AT: String(fault.at), FAULT_KIND: fault.kind }),
      ...(switchPath === undefined ? {} : { FAULT_SWITCH: switchPath }),
    },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const text = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text.stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text.stderr += chunk;
  });
  const ended = once(child, 'close').then(([code, signal]): Ended => {
    const steps = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
    rmSync(log, { force: true });
    keepOutput(`stderr of ${argv[0]}`, text.stderr);
    return { code, signal, ...text, steps };
  });
  return {
    child,
    ended,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    printed: (pattern) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (pattern.test(text.stdout)) resolve(true);
        };
        child.stdout.on('data', look);
        look();
        void ended.then(() => resolve(pattern.test(text.stdout)));
      }),
  };
}

export const FREE_PORTS = ['--xds', '127.0.0.1:0', '--admin', '127.0.0.1:0'] as const;
export const READY = /^ready: xds (\S+), admin (\S+), mesh /m;

/** A command that ends by itself. */
export function runCommand(options: CommandOptions): Promise<Ended> {
  return startCommand(options).ended;
}

const STORED_LIMIT_MS = 1_500;
const LOOK_EVERY_MS = 10;

/** A server, which is stopped when it is ready and its mesh is in force, or can't get there. */
export async function runServer(options: CommandOptions): Promise<Ended> {
  const { child, ended, printed } = startCommand(options);
  if (await printed(READY)) {
    const stored = join(options.root, 'data', 'mesh.json');
    const isOver = ended.then(() => true);
    for (let left = STORED_LIMIT_MS; left > 0 && !existsSync(stored); left -= LOOK_EVERY_MS) {
      if (await Promise.race([isOver, sleep(LOOK_EVERY_MS, false)])) break;
    }
    child.kill('SIGTERM');
  }
  return ended;
}

/** A command in this process, without faults; what it printed. @throws where it fails */
export async function runHere(...argv: readonly string[]): Promise<string> {
  const text = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr'): Io['stdout'] => ({
    isTTY: false,
    write: (written) => {
      text[name] += written;
    },
  });
  const code = await run(argv, {
    stdout: output('stdout'),
    stderr: output('stderr'),
    clock: systemClock,
    random: systemRandom,
    onStop: () => () => undefined,
  });
  if (code !== 0) throw new Error(`${argv.join(' ')}: exit ${code}: ${text.stderr}`);
  return text.stdout;
}
