// What a sidecar can't call for want of a place to listen at, in words.
import type { Publication } from './publisher.js';

/** So many are named. */
const NAMED = 5;

/** Undefined where it can call all. */
export function toUnplaced({
  unplaced,
  clashes,
}: Pick<Publication, 'unplaced' | 'clashes'>): string | undefined {
  const small =
    unplaced.length === 0
      ? []
      : [`outbound prefix too small for ${unplaced.length} services: ${name(unplaced)}`];
  const taken = clashes.map(({ callee, place, holder }) => `${callee} (${place} is of ${holder})`);
  const lacking = taken.length === 0 ? [] : [`no outbound listener for ${name(taken)}`];
  const all = [...small, ...lacking];
  return all.length === 0 ? undefined : all.join('; ');
}

function name(all: readonly string[]): string {
  const more = all.length - NAMED;
  const first = all.slice(0, NAMED).join(', ');
  return more > 0 ? `${first}, and ${more} more` : first;
}
