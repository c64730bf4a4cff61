// A shell that is typed into, as in a terminal: what it prints, both outputs together, and how each
// command ended.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { eventually } from '../../src/demo/wait.js';
import type { Harness } from '../harness/index.js';
import { keepOutput } from '../secrets/output.js';
import type { Host } from './host.js';

export interface Answer {
  readonly printed: string;
  readonly code: number;
}

export interface Terminal {
  /** Types a command, and waits until it has ended. */
  run(command: string): Promise<Answer>;
  /** Types a command that stays in the foreground. */
  start(command: string): void;
  /** All that was printed since the last command was typed. */
  printed(): string;
}

export interface TerminalOptions {
  readonly host: Host;
  readonly cwd: string;
  /** Whose shell it is, by number; default: root. */
  readonly user?: number;
  readonly home: string;
  readonly path: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Whose files programs of this terminal reach through descriptor 3, as ssh would. */
  readonly peer?: Host;
}

const PATHS = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin'] as const;
const TIMEOUT_MS = 60_000;
let counter = 0;

export async function openTerminal(harness: Harness, options: TerminalOptions): Promise<Terminal> {
  const { host } = options;
  const shell = startShell(options);
  const { stdin, stdout, stderr } = shell;
  if (stdin === null || stdout === null || stderr === null) throw new Error('expected pipes');
  let text = '';
  let from = 0;
  for (const stream of [stdout, stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  stdin.on('error', () => undefined);
  harness.defer(`terminal of ${host.name}`, () => {
    shell.kill('SIGKILL');
    keepOutput(`terminal of ${host.name}`, text);
  });
  stdin.write('exec 2>&1\n');
  const type = (typed: string): void => {
    from = text.length;
    stdin.write(`${typed}\n`);
  };
  return {
    printed: () => text.slice(from),
    start: type,
    async run(typed) {
      counter += 1;
      const mark = `--end of ${counter}:`;
      type(`${typed}\nprintf '%s%s\\n' '${mark}' "$?"`);
      const end = new RegExp(`${mark}(\\d+)\\n`);
      const [found, code] = await eventually(() => end.exec(text) ?? false, {
        what: `an end of "${typed}", which printed "${text.slice(from)}"`,
        timeoutMs: TIMEOUT_MS,
      });
      return { printed: text.slice(from, text.indexOf(found)), code: Number(code) };
    },
  };
}

function startShell({ host, cwd, user, home, path, env, peer }: TerminalOptions): ChildProcess {
  const drop = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
  const shell = [...(user === undefined ? [] : drop), 'bash', '--noprofile', '--norc'];
  const [command = '', ...args] = host.enter(...(shell as [string, ...string[]]));
  const paths = [host.programs, ...path, ...PATHS];
  const files = peer === undefined ? undefined : openSync(`/proc/${peer.pid}/ns/mnt`, 'r');
  try {
    return spawn(command, args, {
      cwd,
      env: { HOME: home, PATH: paths.join(':'), LANG: 'C.UTF-8', ...env },
      stdio: ['pipe', 'pipe', 'pipe', ...(files === undefined ? [] : [files])],
    });
  } finally {
    if (files !== undefined) closeSync(files);
  }
}
