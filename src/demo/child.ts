import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Clock, MeshError, systemClock } from '../base/index.js';
import { LogRing } from './log-ring.js';
import { boundToUs, forget, reapOnExit } from './reaper.js';
import { eventually } from './wait.js';

export interface ChildOptions {
  /** Its name in errors and dumps. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** The whole environment; default: ours. */
  readonly env?: NodeJS.ProcessEnv;
  /** Default ignore: it reads end of file. */
  readonly stdin?: 'ignore' | 'pipe';
  /** How many of its newest output lines are kept; default 5000. */
  readonly logLines?: number;
  readonly clock?: Clock;
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** True where `stop` or `kill` was called before it ended. */
  readonly wanted: boolean;
}

/** A process that we started: its output is captured, and it never outlives us (reaper.ts). */
export class Child {
  readonly name: string;
  readonly pid: number;
  /** Resolves when it has ended and its output is complete; never rejects. */
  readonly exited: Promise<ChildExit>;
  readonly #process: ChildProcess;
  readonly #ring: LogRing;
  readonly #clock: Clock;
  #exit: ChildExit | undefined;
  #wanted = false;

  /** Takes over a process that has been spawned; use `startChild`. */
  constructor(
    process: ChildProcess,
    options: { name: string; pid: number; ring: LogRing; clock: Clock },
  ) {
    this.name = options.name;
    this.pid = options.pid;
    this.#process = process;
    this.#ring = options.ring;
    this.#clock = options.clock;
    this.exited = new Promise((resolve) => {
      process.once('close', (code: number | null, signal: NodeJS.Signals | null) => {
        this.#exit = { code, signal, wanted: this.#wanted };
        resolve(this.#exit);
      });
    });
  }

  /** Its pipes; the outputs are text, of which `log` keeps the newest lines. */
  get streams(): Pick<ChildProcess, 'stdin' | 'stdout' | 'stderr'> {
    return this.#process;
  }

  /** How it ended; undefined while it runs. */
  get exit(): ChildExit | undefined {
    return this.#exit;
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  /** Its newest lines, stdout and stderr together, oldest first. */
  log(): readonly string[] {
    return this.#ring.lines();
  }

  /** The first kept line that matches; MeshError `child-failed` if it ends before it writes one. */
  async waitForLog(pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    const find = (): string | undefined => this.log().find((line) => pattern.test(line));
    const line = await eventually(
      () => {
        const ended = !this.running;
        return find() ?? (ended ? null : false);
      },
      { what: `${this.name} to log ${pattern}`, timeoutMs, clock: this.#clock },
    );
    if (line !== null) return line;
    throw this.failure(`expected ${this.name} to log ${pattern} but it ended`);
  }

  /** A MeshError `child-failed` about it, with the end of its log in the hint. */
  failure(message: string): MeshError {
    const tail = this.log().slice(-15).join('\n');
    return new MeshError('child-failed', message, { hint: `its last output was:\n${tail}` });
  }

  /** Sends a signal and doesn't wait; does nothing if it has ended. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Kills it (SIGKILL), as a crash would, and waits for its end. */
  kill(): Promise<ChildExit> {
    this.#wanted = true;
    this.#process.kill('SIGKILL');
    return this.exited;
  }

  /**
   * SIGTERM, and SIGKILL after `deadlineMs`; resolves when it is gone. Calling it again is allowed.
   */
  async stop({ deadlineMs = 10_000 } = {}): Promise<ChildExit> {
    this.#wanted = true;
    this.#process.kill('SIGTERM');
    const cancel = this.#clock.after(deadlineMs, () => this.#process.kill('SIGKILL'));
    try {
      return await this.exited;
    } finally {
      cancel();
    }
  }
}

/** Starts a program; MeshError `child-failed` if it can't be started. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, cwd, env, stdin = 'ignore', logLines, clock = systemClock } = options;
  const { command, args } = boundToUs(options.command, options.args);
  const spawned = spawn(command, [...args], {
    stdio: [stdin, 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
  });
  const ring = new LogRing(logLines === undefined ? {} : { limit: logLines });
  for (const stream of [spawned.stdout, spawned.stderr]) {
    if (stream === null) continue;
    const writer = ring.writer();
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => writer.write(text));
    stream.on('end', () => writer.end());
  }
  const { pid } = spawned;
  if (pid !== undefined) {
    reapOnExit(pid);
    spawned.once('exit', () => forget(pid));
  }
  try {
    await once(spawned, 'spawn');
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new MeshError('child-failed', `expected ${name} to start but got "${text}"`, {
      cause: error,
    });
  }
  // A later 'error' is a signal that could not be sent; without a listener it would end us.
  spawned.on('error', () => {});
  if (pid === undefined)
    throw new MeshError('child-failed', `expected a pid of ${name} but got none`);
  return new Child(spawned, { name, pid, ring, clock });
}
