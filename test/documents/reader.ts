// Somebody who follows a document to the letter: types each command as it stands there, one after
// the other, and compares what is printed with what the document shows.
import { spawnSync } from 'node:child_process';
import { eventually } from '../../src/demo/wait.js';
import type { Harness } from '../harness/index.js';
import { difference, type Step } from './markdown.js';
import { openTerminal, type Terminal, type TerminalOptions } from './terminal.js';

/** A comment that says so ends a command after which the reader goes on in another terminal. */
const STAYS = /# .*stays in the foreground/;
const SHOWN_WITHIN_MS = 20_000;

export interface Reader {
  /** @throws Error naming the place in the document where it isn't so. */
  follow(steps: readonly Step[]): Promise<void>;
  /** The terminal that the next command is typed into. */
  terminal(): Promise<Terminal>;
}

export function createReader(harness: Harness, options: TerminalOptions): Reader {
  let current: Terminal | undefined;
  const terminal = async (): Promise<Terminal> => {
    current ??= await openTerminal(harness, options);
    return current;
  };
  const take = async (step: Step): Promise<void> => {
    let printed = '';
    const commands = toCommands(step.typed);
    for (const [index, command] of commands.entries()) {
      const at = await terminal();
      const isLast = index === commands.length - 1;
      if (STAYS.test(command)) {
        at.start(command);
        current = undefined;
        await shows(step, at, printed);
        return;
      }
      const answer = await at.run(command);
      printed += answer.printed;
      // A document that shows an error means it to be seen.
      if (answer.code === 0 || (isLast && step.seen !== undefined)) continue;
      throw new Error(`${step.place}: exit ${answer.code} of ${command}\n${answer.printed}`);
    }
    const wrong = step.seen === undefined ? undefined : difference(step.seen, printed);
    if (wrong !== undefined) throw new Error(`${step.place}: ${step.typed}\n${wrong}`);
  };
  return {
    terminal,
    async follow(steps) {
      for (const step of steps) await take(step);
    },
  };
}

async function shows(step: Step, { printed }: Terminal, before: string): Promise<void> {
  const { seen } = step;
  if (seen === undefined) return;
  const wrong = (): string | undefined => difference(seen, `${before}${printed()}`);
  await eventually(() => wrong() === undefined, {
    what: step.place,
    timeoutMs: SHOWN_WITHIN_MS,
  }).catch(() => {
    throw new Error(`${step.place}: ${step.typed}\n${wrong()}`);
  });
}

/** Whole commands, as a shell reads them: lines that belong together stay so. */
export function toCommands(typed: string): readonly string[] {
  const commands: string[] = [];
  let open = '';
  for (const line of typed.split('\n')) {
    open = open === '' ? line : `${open}\n${line}`;
    if (open.trim() === '') {
      open = '';
      continue;
    }
    if (line.endsWith('\\') || !isWhole(open)) continue;
    if (!open.split('\n').every((one) => one.trim() === '' || one.trimStart().startsWith('#'))) {
      commands.push(open);
      open = '';
    }
  }
  if (open.trim() !== '') throw new Error(`expected a whole command but got ${open}`);
  return commands;
}

function isWhole(text: string): boolean {
  const { status, stderr } = spawnSync('bash', ['-n'], { input: `${text}\n`, encoding: 'utf8' });
  return status === 0 && stderr === '';
}
