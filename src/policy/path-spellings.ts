// Other spellings of a path, for rules that take something away: every path that a common
// application reads as one of a pattern's. It decodes any character that is escaped, in either case
// of the hex digits; it may leave out path parameters (`;x=1`, as servlet containers do), take %2F
// and %5C for slashes, several slashes for one, and not mind a slash at the end. Paths come
// normalised: escapes of letters, digits and `-._~` undone, `//` and dot segments resolved. What
// stays for an application to read otherwise: letter case, and what is escaped twice.
import type { PathPattern } from './model.js';

const SLASH = '(?:/|%2[fF]|%5[cC])';
/** Parameters of a segment: to the next slash, whether that is escaped or not. */
const PARAMETERS = '(?:(?:;|%3[bB])[^/]*)?';
/** Between two segments: segments of parameters alone are empty ones. */
const BETWEEN = `(?:${PARAMETERS}${SLASH})+`;
const END = `(?:${PARAMETERS}${SLASH})*${PARAMETERS}`;
const SEGMENT = '[^/]+';
const ANY = '.*';
const PLACEHOLDER = /(\{\*\*?\})/;
/** RFC 3986 section 2.3: these are never escaped in a normalised path. */
const UNRESERVED = /[A-Za-z0-9\-._~]/;

/** A regular expression (RE2's and JavaScript's common part) for the path as a whole. */
export function spellingsOf(pattern: PathPattern): string {
  switch (pattern.kind) {
    case 'any':
      return ANY;
    case 'exact':
      return `${toSpellings(withoutSlash(pattern.text))}${END}`;
    case 'suffix':
      return `${ANY}${toSpellings(pattern.text)}${END}`;
    case 'prefix': {
      const { text, orExact } = pattern;
      if (orExact === undefined) return `${toSpellings(text)}${ANY}`;
      return `${toSpellings(orExact)}(?:${BETWEEN}${ANY}|${PARAMETERS})`;
    }
    case 'template':
      return `${toTemplate(withoutSlash(pattern.text))}${END}`;
  }
}

/** The root alone is its slash. */
function withoutSlash(text: string): string {
  return text === '/' ? text : text.replace(/\/$/, '');
}

function toTemplate(text: string): string {
  const last = '/{**}';
  if (text.endsWith(last)) {
    // Nothing at all after the slash is read as a slash at the end.
    return `${toTemplate(text.slice(0, -last.length))}(?:${BETWEEN}${ANY})?`;
  }
  const parts = text.split(PLACEHOLDER);
  return parts
    .map((part) => {
      if (part === '{*}') return SEGMENT;
      return part === '{**}' ? ANY : toSpellings(part);
    })
    .join('');
}

function toSpellings(text: string): string {
  return text.replaceAll(/%([0-9A-Fa-f]{2})|./g, (one, hex: string | undefined) =>
    hex === undefined ? toSpelling(one) : toSpelling(String.fromCharCode(Number.parseInt(hex, 16))),
  );
}

/** One character of a pattern; above ASCII: one byte, which is always escaped. */
function toSpelling(character: string): string {
  if (character === '/') return BETWEEN;
  if (UNRESERVED.test(character)) return toLiteral(character);
  const code = character.charCodeAt(0);
  const escaped = `%${[...code.toString(16).padStart(2, '0')].map(toHexDigit).join('')}`;
  return /[!-~]/.test(character) ? `(?:${toLiteral(character)}|${escaped})` : escaped;
}

function toHexDigit(digit: string): string {
  return /[a-f]/.test(digit) ? `[${digit}${digit.toUpperCase()}]` : digit;
}

function toLiteral(character: string): string {
  return /[.*+?^${}()|[\]\\]/.test(character) ? `\\${character}` : character;
}

const compiled = new WeakMap<PathPattern, RegExp>();

/** Whether `path` (without its query, normalised) is one of those. */
export function isSpellingOf(pattern: PathPattern, path: string): boolean {
  const regex = compiled.get(pattern) ?? new RegExp(`^(?:${spellingsOf(pattern)})$`);
  compiled.set(pattern, regex);
  return regex.test(path);
}
