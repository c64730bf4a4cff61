// Runs a transcript and compares what happens with it, whole. It reads like a terminal:
//
//   $ countersign check <dir>/mesh.yaml
//   <dir>/mesh.yaml:3:10 services.web.mtls: expected …      on stdout
//   ! error: expected a good mesh but got 1 error           on stderr, in the order of writing
//   [exit 1]                                                absent: 0
//   $ sleep 60s                                             the clock, not the test
//   $ countersign serve --mesh <dir>/mesh.yaml &            until it is ready, or ends
//   $ kill %1                                               with what it has printed since
//
// `<dir>` is the test's folder. `<time>`, `<id>` and the like (KINDS) stand for what is new in each
// run; with a name, as `<id:old>`, for the same text wherever it comes again, even in a command.
import { expect, onTestFinished } from 'vitest';
import type { Cli, Running, Written } from './cli.js';

const KINDS: Readonly<Record<string, string>> = {
  time: '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z',
  id: '[0-9a-f]{8,64}',
  key: '[\\w-]{43}',
  version: '[0-9a-f]{12}',
  port: '\\d{1,5}',
  pid: '\\d+',
  token: '[\\w-]+\\.[\\w-]+\\.[\\w-]+',
};
const PLACEHOLDER = /<(\w+)(?::(\w+))?>/g;
const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** @param given texts for placeholders of any name, such as the address of a server */
export async function expectTranscript(
  cli: Cli,
  transcript: string,
  given: Readonly<Record<string, string>> = {},
): Promise<void> {
  const names = new Map(Object.entries(given));
  const jobs: Job[] = [];
  const blocks = toBlocks(transcript);
  expect(blocks.length, 'commands in the transcript').toBeGreaterThan(0);
  for (const { command, expected } of blocks) {
    const actual = await runCommand({ cli, jobs }, fill(command, names));
    const shown = actual.map((line, index) => sameAs(line, expected[index] ?? '', names));
    expect([`$ ${command}`, ...shown].join('\n')).toBe([`$ ${command}`, ...expected].join('\n'));
  }
}

interface Block {
  readonly command: string;
  readonly expected: readonly string[];
}

/** Empty lines before the next command, and lines before the first, are layout. */
function toBlocks(transcript: string): readonly Block[] {
  const [, ...blocks] = `\n${transcript}`.split(/\n[ ]*\$ /);
  return blocks.map((block) => {
    const [command = '', ...expected] = block.trimEnd().split('\n');
    return { command, expected };
  });
}

/** A command in the background, and how much of its output has been shown. */
interface Job {
  readonly running: Running;
  shown: number;
}

interface Shell {
  readonly cli: Cli;
  readonly jobs: Job[];
}

async function runCommand({ cli, jobs }: Shell, command: string): Promise<readonly string[]> {
  const [program, ...argv] = toWords(command);
  if (program === 'sleep') {
    const [, count = '', unit = ''] = /^(\d+)([smhd])$/.exec(argv[0] ?? '') ?? [];
    cli.clock.jump(Number(count) * (UNITS[unit] ?? Number.NaN));
    return [];
  }
  if (program === 'kill') {
    const job = jobs[Number(argv[0]?.slice(1)) - 1];
    expect(job, `the job of "${command}"`).toBeDefined();
    job?.running.stop();
    return job === undefined ? [] : toEnd(job);
  }
  expect(program, `the program of "${command}"`).toBe('countersign');
  if (argv.at(-1) === '&') return runInBackground({ cli, jobs }, argv.slice(0, -1));
  return toEnd({ running: cli.start(...argv), shown: 0 });
}

async function runInBackground(
  { cli, jobs }: Shell,
  argv: readonly string[],
): Promise<readonly string[]> {
  const job: Job = { running: cli.start(...argv), shown: 0 };
  const { running } = job;
  jobs.push(job);
  onTestFinished(async () => {
    running.stop();
    await running.done;
  });
  const isReady = await running
    .until(({ stdout }) => /^ready: .*\n/m.test(stdout()))
    .then(() => true)
    .catch(() => false);
  if (!isReady) return toEnd(job);
  job.shown = running.written().length;
  return toLines(running.written());
}

/** What it has written and not shown, and how it ended. */
async function toEnd({ running, shown }: Job): Promise<readonly string[]> {
  const { code } = await running.done;
  const lines = toLines(running.written().slice(shown));
  return [...lines, ...(code === 0 ? [] : [`[exit ${code}]`])];
}

/** As a screen shows them; a line of stderr with its mark. */
function toLines(written: readonly Written[]): readonly string[] {
  const open = { stdout: '', stderr: '' };
  const mark = { stdout: '', stderr: '! ' };
  const lines: string[] = [];
  for (const { to, text } of written) {
    const parts = `${open[to]}${text}`.split('\n');
    open[to] = parts.pop() ?? '';
    lines.push(...parts.map((line) => `${mark[to]}${line}`.trimEnd()));
  }
  for (const to of ['stdout', 'stderr'] as const) {
    if (open[to] !== '') lines.push(`${mark[to]}${open[to]} [no end of line]`);
  }
  return lines
    .join('\n')
    .trimEnd()
    .split('\n')
    .slice(0, lines.length === 0 ? 0 : undefined);
}

/** The expected line where the actual one matches it, so that a difference shows what differs. */
function sameAs(actual: string, expected: string, names: Map<string, string>): string {
  const found: string[] = [];
  const parts = expected.split(PLACEHOLDER);
  let pattern = toPattern(parts[0] ?? '');
  for (let index = 1; index < parts.length; index += 3) {
    const [kind = '', name] = parts.slice(index, index + 2);
    const known = names.get(name ?? kind);
    found.push(name ?? '');
    const other = KINDS[kind] ?? toPattern(`<${kind}>`);
    const own = known === undefined ? other : toPattern(known);
    pattern += `(${own})${toPattern(parts[index + 2] ?? '')}`;
  }
  const match = new RegExp(`^${pattern}$`).exec(actual);
  if (match === null) return actual;
  found.forEach((name, index) => {
    if (name !== '') names.set(name, match[index + 1] ?? '');
  });
  return expected;
}

function toPattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function fill(command: string, names: ReadonlyMap<string, string>): string {
  return command.replace(
    PLACEHOLDER,
    (whole, kind: string, name?: string) => names.get(name ?? kind) ?? whole,
  );
}

/** Words as a shell splits them, with double quotes. */
function toWords(command: string): readonly string[] {
  return [...command.matchAll(/(?:[^\s"]|"[^"]*")+/g)].map(([word]) => word.replaceAll('"', ''));
}
