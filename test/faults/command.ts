// Runs the real command line in a process of its own, with a fault let in at a given step
// (fault.mjs).
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { run } from '../../src/cli/program.js';
import type { Io } from '../../src/terminal/index.js';
import {
  type Ended as ProcessEnded,
  READY,
  startForTest,
  type TestProcess,
  toProgram,
} from '../harness/process.js';

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

export interface Ended extends ProcessEnded {
  /** Every step that changes a file, in order: `<operation> <path>`; `! ` where it was refused. */
  readonly steps: readonly string[];
}

export interface Started extends Omit<TestProcess, 'ended'> {
  readonly ended: Promise<Ended>;
}

let logs = 0;

export async function startCommand(options: CommandOptions): Promise<Started> {
  const { argv, root, fault, switchPath } = options;
  const log = `${root}.steps-${logs++}`;
  const env = {
    ...process.env,
    ...options.env,
    FAULT_ROOT: root,
    FAULT_LOG: log,
    ...(fault === undefined ? {} : { FAULT_AT: String(fault.at), FAULT_KIND: fault.kind }),
    ...(switchPath === undefined ? {} : { FAULT_SWITCH: switchPath }),
  };
  const started = await startForTest(toProgram(argv, { env, nodeArgs: ['--import', PRELOAD] }));
  const ended = started.ended.then((end): Ended => {
    const steps = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
    rmSync(log, { force: true });
    return { ...end, steps };
  });
  return { ...started, ended };
}

/** A command that ends by itself. */
export async function runCommand(options: CommandOptions): Promise<Ended> {
  return (await startCommand(options)).ended;
}

const STORED_LIMIT_MS = 1_500;
const LOOK_EVERY_MS = 10;

/** A server, which is stopped when it is ready and its mesh is in force, or can't get there. */
export async function runServer(options: CommandOptions): Promise<Ended> {
  const { child, ended, printed } = await startCommand(options);
  if (await printed(READY)) {
    const stored = join(options.root, 'data', 'mesh.json');
    const isOver = ended.then(() => true);
    for (let left = STORED_LIMIT_MS; left > 0 && !existsSync(stored); left -= LOOK_EVERY_MS) {
      if (await Promise.race([isOver, sleep(LOOK_EVERY_MS, false)])) break;
    }
    child.signal('SIGTERM');
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
