// Pieces of a compose file, as lines from column 0.
import { flowList, indent, word } from './yaml-words.js';

export function block(first: string, lines: readonly string[]): string[] {
  return [first, ...indent(lines, 2)];
}

/** Values as a compose file has them: `$` begins a variable. */
export function entries(key: string, values: ReadonlyMap<string, string>): string[] {
  if (values.size === 0) return [];
  return block(
    `${key}:`,
    [...values].map(([name, value]) => `${word(name)}: ${word(value)}`),
  );
}

export function list(key: string, values: readonly string[]): string[] {
  if (values.length === 0) return [];
  return block(
    `${key}:`,
    values.map((value) => `- ${value}`),
  );
}

export function profiles(names: readonly string[]): string[] {
  return names.length === 0 ? [] : [`profiles: ${flowList(names)}`];
}
