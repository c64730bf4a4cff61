// Processes of a test: any program, or the built command. A process never outlives the run
// (src/demo/reaper.ts), and what it printed is searched for secrets when the run ends.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { type Child, type ChildOptions, startChild } from '../../src/demo/child.js';
import { keepOutput, PRINTS_TOKENS } from '../secrets/output.js';

/** The built command. */
export const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** What `serve` prints when it is ready; its groups are the xDS and the admin address. */
export const READY = /^ready: xds (\S+), admin (\S+), mesh /m;

/** Flags by which `serve` takes free ports. */
export const FREE_PORTS = ['--xds', '127.0.0.1:0', '--admin', '127.0.0.1:0'] as const;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TestProcess {
  readonly child: Child;
  /** Resolves when it has ended and its output is complete; never rejects. */
  readonly ended: Promise<Ended>;
  stdout(): string;
  stderr(): string;
  /** Resolves with true as soon as stdout or stderr matches; false where it ends before. */
  printed(pattern: RegExp): Promise<boolean>;
  /** To its stdin, where the options opened one. */
  write(text: string): void;
}

export async function startProcess(options: ChildOptions): Promise<TestProcess> {
  const child = await startChild(options);
  const text = { stdout: '', stderr: '' };
  const waiters = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child.streams[name]?.on('data', (chunk: string) => {
      text[name] += chunk;
      for (const look of [...waiters]) look();
    });
  }
  return {
    child,
    ended: child.exited.then(({ code, signal }) => ({ code, signal, ...text })),
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    printed: (pattern) =>
      new Promise((resolve) => {
        const matches = (): boolean => pattern.test(text.stdout) || pattern.test(text.stderr);
        const look = (): void => {
          if (!matches()) return;
          waiters.delete(look);
          resolve(true);
        };
        waiters.add(look);
        look();
        void child.exited.then(() => resolve(matches()));
      }),
    write: (written) => void child.streams.stdin?.write(written),
  };
}

export interface ProgramOptions extends Omit<ChildOptions, 'name' | 'command' | 'args'> {
  /** Default: `countersign` and the command's name. */
  readonly name?: string;
  /** For Node, before the program: such as `--import` of a module. */
  readonly nodeArgs?: readonly string[];
}

/** Options that start the built command. */
export function toProgram(argv: readonly string[], options: ProgramOptions = {}): ChildOptions {
  const { name = `countersign ${argv[0]}`, nodeArgs = [], ...rest } = options;
  if (!existsSync(PROGRAM))
    throw new Error(`expected a build at dist: run \`npm run build\` first`);
  return { ...rest, name, command: process.execPath, args: [...nodeArgs, PROGRAM, ...argv] };
}

/** For one test: a process that still runs when the test ends is killed. */
export async function startForTest(options: ChildOptions): Promise<TestProcess> {
  const started = await startProcess(options);
  onTestFinished(async () => {
    await started.child.kill();
    keepPrinted(options.name, started);
  });
  return started;
}

/** Programs of others, which log what they are shown: step-ca its one-time tokens. */
const NOT_OURS: readonly string[] = ['step-ca'];

/** Hands what it printed to the search for secrets; stdout not of a command that prints tokens. */
export function keepPrinted(name: string, { stdout, stderr }: TestProcess): void {
  if (NOT_OURS.includes(name)) return;
  keepOutput(`stderr of ${name}`, stderr());
  if (!printsTokens(name)) keepOutput(`stdout of ${name}`, stdout());
}

/** Whether a process of this name exists to print a token: no file keeps its stdout. */
export function printsTokens(name: string): boolean {
  return PRINTS_TOKENS.some((command) => name === `countersign ${command}`);
}
