// What the claim of a token is compared with: text, or text with one `*` at an end.
import type { ClaimPattern } from './model.js';
import { expected, type Parsed, parsed } from './parsed.js';

export function tryClaimPattern(text: string): Parsed<ClaimPattern> {
  if (text === '') return expected('text to compare a claim with');
  if (text === '*') return parsed({ kind: 'any' });
  const stars = text.split('*').length - 1;
  if (stars === 0) return parsed({ kind: 'exact', text });
  if (stars > 1 || !(text.startsWith('*') || text.endsWith('*'))) {
    return expected('one * at one end of a claim');
  }
  return text.startsWith('*')
    ? parsed({ kind: 'suffix', text: text.slice(1) })
    : parsed({ kind: 'prefix', text: text.slice(0, -1) });
}

/** Whether a claim's value matches; of a list, whether one entry does. Only text ever matches. */
export function claimMatches(pattern: ClaimPattern, value: unknown): boolean {
  if (Array.isArray(value)) return value.some((entry) => textMatches(pattern, entry));
  return textMatches(pattern, value);
}

function textMatches(pattern: ClaimPattern, value: unknown): boolean {
  if (typeof value !== 'string') return false;
  switch (pattern.kind) {
    case 'any':
      return true;
    case 'exact':
      return value === pattern.text;
    case 'prefix':
      return value.startsWith(pattern.text);
    case 'suffix':
      return value.endsWith(pattern.text);
  }
}
