// The text of a .env file, or of one that `env_file` names, as Compose reads it: quotes, `export`,
// comments, values over several lines, and variables in all but single quotes.
import { composeInvalid } from './compose-error.js';
import { InterpolationError, interpolate, type Lookup } from './interpolate.js';

const NAME_END = /[=:\n]/;
const NAME = /^[\p{L}\p{N}_.\-[\]]+$/u;
const SPACES = /^[^\S\n]+/;
const ESCAPES = /\\([abcfnrtv$"\\]|0[0-7]{0,3})/g;
const ESCAPED: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  c: '\\c',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  $: '$$',
  '"': '"',
  '\\': '\\',
};

interface DotenvOptions {
  readonly file: string;
  /** Variables that are known already. They win inside of values. */
  readonly lookup: Lookup;
  /** Filled: what the text sets. */
  readonly into: Map<string, string>;
}

/** @throws MeshError `compose-invalid` with file and line; no value is in the message */
export function readDotenv(text: string, { file, lookup, into }: DotenvOptions): void {
  const whole = (text.startsWith('\uFEFF') ? text.slice(1) : text).replaceAll('\r\n', '\n');
  const known: Lookup = (name) => lookup(name) ?? into.get(name);
  let rest = whole;
  const line = (): number => whole.slice(0, whole.length - rest.length).split('\n').length;
  const fail = (message: string): never => {
    throw composeInvalid(message, { at: { file, line: line() } });
  };
  const expand = (value: string): string => {
    try {
      return interpolate(value, { lookup: known, onUnset: () => {} });
    } catch (error) {
      if (error instanceof InterpolationError) return fail(error.message);
      throw error;
    }
  };

  for (;;) {
    rest = rest.trimStart();
    if (rest === '') return;
    if (rest.startsWith('#')) {
      rest = afterLine(rest);
      continue;
    }
    const statement = rest.replace(/^export\s+/, '');
    const end = statement.search(NAME_END);
    const name = (end < 0 ? statement : statement.slice(0, end)).trim();
    if (!NAME.test(name)) fail('expected NAME=value but got something else');
    if (end < 0 || statement[end] === '\n') {
      const inherited = lookup(name);
      if (inherited !== undefined) into.set(name, inherited);
      rest = afterLine(statement);
      continue;
    }
    const from = statement.slice(end + 1).replace(SPACES, '');
    const quote = from[0];
    if (quote === '"' || quote === "'") {
      const { value, length } = quoted(from) ?? fail(`a ${quote} has no end`);
      set(into, name, quote === '"' ? expand(withoutEscapes(value)) : value);
      rest = from.slice(length);
      continue;
    }
    const value = (from.split('\n', 1)[0] ?? '').split(' #', 1)[0] ?? '';
    set(into, name, expand(value.trimEnd()));
    rest = afterLine(from);
  }
}

/** A name that begins with a digit is no variable: Compose skips it. */
function set(into: Map<string, string>, name: string, value: string): void {
  if (!/^\d/.test(name)) into.set(name, value);
}

function afterLine(text: string): string {
  const end = text.indexOf('\n');
  return end < 0 ? '' : text.slice(end + 1);
}

/** The text between quotes, its own quote unescaped, and how long it is with them. */
function quoted(text: string): { value: string; length: number } | undefined {
  const quote = text[0];
  let value = '';
  for (let i = 1; i < text.length; i++) {
    const char = text[i] ?? '';
    if (char === quote) return { value, length: i + 1 };
    if (char === '\\' && i + 1 < text.length) {
      const next = text[i + 1] ?? '';
      value += next === quote ? next : `\\${next}`;
      i++;
    } else {
      value += char;
    }
  }
  return undefined;
}

function withoutEscapes(text: string): string {
  return text.replace(ESCAPES, (_, what: string) => {
    const known = ESCAPED[what];
    return known ?? String.fromCharCode(Number.parseInt(what, 8));
  });
}
