// Upgrades of HTTP/1.1. Envoy has no word for all of them: it answers 403 to one that it wasn't
// configured for. Those in use are named; of any other the Upgrade header is left out, and the
// application answers as though it hadn't been asked, which RFC 9110 section 7.8 lets every server
// do.
import type { envoy } from '../gen/envoy.js';
import { toRegexMatcher } from './messages.js';

/**
 * In lower case, which is how Envoy compares. Not h2c, which Envoy leaves out by itself: its bytes
 * would be requests that no rule has seen.
 */
export const UPGRADES = [
  'websocket',
  'tcp',
  'raw',
  'spdy/3.1',
  'tls/1.0',
  'tls/1.2',
  'tls/1.3',
] as const;

/** Matches, as a whole, every text that is none of `words` in any case. */
function allBut(words: readonly string[]): string {
  return `(?is)(?:${branches(words).join('|')})`;
}

function branches(words: readonly string[]): string[] {
  const tails = new Map<string, string[]>();
  for (const [first, ...rest] of words) {
    if (first !== undefined) tails.set(first, [...(tails.get(first) ?? []), rest.join('')]);
  }
  if (tails.size === 0) return ['.+'];
  const heads = [...tails.keys()].map(literal).join('');
  const longer = [...tails].map(([first, rest]) => `${literal(first)}${complement(rest)}`);
  return [`[^${heads}].*`, ...longer];
}

function complement(words: readonly string[]): string {
  const optional = words.includes('') ? '' : '?';
  return `(?:${branches(words).join('|')})${optional}`;
}

function literal(character: string): string {
  return /[A-Za-z0-9]/.test(character) ? character : `\\${character}`;
}

export const OTHER_UPGRADES: readonly envoy.type.matcher.v3.StringMatcher[] = [
  toRegexMatcher(allBut(UPGRADES)),
];
