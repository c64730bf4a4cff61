// Our lines in somebody's hosts file: between two marks, so that they can be replaced and all else
// stays as it is, byte for byte.
import { MeshError } from '../base/index.js';

const BEGIN = '# begin countersign';
const END = '# end countersign';

export interface HostsChange {
  /** The whole file. */
  readonly text: string;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Names of ours that the file has for somebody else, each with its line. */
  readonly taken: readonly { readonly name: string; readonly line: number }[];
}

/**
 * The file with these lines in its block, which is where it was, or at the end. Without lines there
 * is no block.
 * @param text As latin1, in which each byte is a character.
 * @throws MeshError file-unwritable where the marks don't make one block
 */
export function changeHosts(text: string, wanted: readonly string[], path: string): HostsChange {
  const lines = text.split('\n');
  const { begin, end } = findBlock(lines, path);
  const before = lines.slice(0, begin);
  const after = lines.slice(end + 1);
  const old = lines.slice(begin + 1, end).map(toText);
  const block = wanted.length === 0 ? [] : [BEGIN, ...wanted, END];
  const isSame = old.length === wanted.length && old.every((line, i) => line === wanted[i]);
  return {
    text: isSame && begin < end ? text : join(before, block, after),
    added: wanted.filter((line) => !old.includes(line)),
    removed: old.filter((line) => !wanted.includes(line)),
    taken: findTaken(
      lines.map((line, i) => (i > begin && i < end ? '' : line)),
      wanted,
    ),
  };
}

/** Where its marks are, or would be. */
function findBlock(lines: readonly string[], path: string): { begin: number; end: number } {
  const marks = lines.flatMap((line, index) => {
    const mark = toText(line);
    return mark === BEGIN || mark === END ? [{ mark, index }] : [];
  });
  const [first, second, third] = marks;
  if (first === undefined) {
    // Before the nothing that follows the last line's end.
    const last = lines.at(-1) === '' ? lines.length - 1 : lines.length;
    return { begin: last, end: last - 1 };
  }
  if (first.mark === BEGIN && second?.mark === END && third === undefined) {
    return { begin: first.index, end: second.index };
  }
  const wrong = first.mark === END ? first : second?.mark === END ? third : first;
  const line = (wrong ?? first).index + 1;
  const message =
    `expected one block from "${BEGIN}" to "${END}" in ${path} ` +
    `but got another mark in line ${line}`;
  throw new MeshError('file-unwritable', message, {
    hint: `make line ${line} right, or remove it`,
  });
}

function join(
  before: readonly string[],
  block: readonly string[],
  after: readonly string[],
): string {
  const isLast = after.length === 0 && block.length > 0;
  return [...before, ...block, ...(isLast ? [''] : after)].join('\n');
}

function findTaken(lines: readonly string[], wanted: readonly string[]): HostsChange['taken'] {
  const ours = new Set(wanted.flatMap((line) => line.split(' ').slice(1)));
  return lines.flatMap((line, index) => {
    const [text = ''] = line.split('#');
    const names = text.trim().split(/\s+/).slice(1);
    return names.filter((name) => ours.has(name)).map((name) => ({ name, line: index + 1 }));
  });
}

function toText(line: string): string {
  return line.trimEnd();
}
