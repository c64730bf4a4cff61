// The code blocks of a document, in order: `sh` is what a reader types, and the `text` after it is
// what he then sees. A test that follows a document has no commands of its own.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Block {
  /** The headings that it stands under, the title first. */
  readonly headings: readonly string[];
  /** What stands after the fence: `sh`, `text`, `yaml`, … */
  readonly kind: string;
  readonly text: string;
  /** File and line, for messages. */
  readonly place: string;
}

/** What is typed at once, and what is then seen: undefined where the document doesn't say. */
export interface Step {
  readonly typed: string;
  readonly seen: string | undefined;
  readonly headings: readonly string[];
  readonly place: string;
}

/** @param path Below the repository's root. */
export function readBlocks(path: string): readonly Block[] {
  const blocks: Block[] = [];
  const headings: string[] = [];
  let open: { kind: string; indent: string; lines: string[]; place: string } | undefined;
  for (const [index, line] of readFileSync(`${ROOT}${path}`, 'utf8').split('\n').entries()) {
    const [, indent = '', kind = ''] = /^( *)```(\w*)/.exec(line) ?? [];
    const isFence = line.trimStart().startsWith('```');
    if (open !== undefined) {
      if (isFence) {
        const { lines, place } = open;
        blocks.push({
          ...{ headings: [...headings], kind: open.kind, place },
          text: lines.join('\n'),
        });
        open = undefined;
      } else {
        open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
      }
    } else if (isFence) {
      open = { kind, indent, lines: [], place: `${path}:${index + 1}` };
    } else {
      const [, marks, heading = ''] = /^(#+) (.+)$/.exec(line) ?? [];
      if (marks !== undefined) headings.splice(marks.length - 1, Number.POSITIVE_INFINITY, heading);
    }
  }
  return blocks;
}

/** Of a whole document, or of what stands under one of its headings. */
export function readSteps(path: string, heading?: string): readonly Step[] {
  const steps: Step[] = [];
  for (const { headings, kind, text, place } of readBlocks(path)) {
    if (heading !== undefined && !headings.includes(heading)) continue;
    if (kind === 'sh') steps.push({ typed: text, seen: undefined, headings, place });
    const last = steps.at(-1);
    if (kind === 'text' && last !== undefined) {
      steps[steps.length - 1] = {
        ...last,
        seen: last.seen === undefined ? text : `${last.seen}\n${text}`,
      };
    }
  }
  if (steps.length === 0) throw new Error(`expected commands in ${path} but found none`);
  return steps;
}

/**
 * Why what was printed isn't what the document shows; undefined where it is. `…` in a line stands
 * for any text, and a line that is `…` alone for any lines.
 */
export function difference(shown: string, printed: string): string | undefined {
  const lines = (text: string): readonly string[] => text.split('\n').map((line) => line.trimEnd());
  const wanted = lines(shown.trim());
  const got = lines(printed.trim());
  const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const patterns = wanted.map((line) =>
    line === '…' ? undefined : new RegExp(`^${line.split('…').map(literal).join('.*')}$`),
  );
  return matches(patterns, got)
    ? undefined
    : `expected\n${shown.trim()}\nbut got\n${printed.trim()}`;
}

function matches(patterns: readonly (RegExp | undefined)[], lines: readonly string[]): boolean {
  const [pattern, ...rest] = patterns;
  if (patterns.length === 0) return lines.length === 0;
  if (pattern === undefined) {
    return lines.some((_line, index) => matches(rest, lines.slice(index))) || matches(rest, []);
  }
  const [line, ...after] = lines;
  return line !== undefined && pattern.test(line) && matches(rest, after);
}
