// Rules that can match nobody and nothing: what a field asks for, the same field of `not` takes
// away. As an allow rule it grants nothing, as a deny rule it refuses nothing.
import { namespacePrefix, trustDomainPrefix } from '../spiffe/index.js';
import { callerMatches } from './caller.js';
import type { Effect } from './decide.js';
import type { Caller, PathPattern, RuleFields } from './model.js';
import { pathMatches } from './path-pattern.js';
import { isSpellingOf } from './path-spellings.js';

type Field = keyof RuleFields;

interface Contradiction {
  readonly not: RuleFields;
  readonly trustDomain: string;
  /** Of the list that the rule stands in; its `not` does the opposite. */
  readonly effect: Effect;
}

/** The field of which `not` leaves nothing; undefined: the rule can match. */
export function contradictedField(
  rule: RuleFields,
  { not, trustDomain, effect }: Contradiction,
): Field | undefined {
  const callers = rule.from ?? [{ kind: 'anyone' } as const];
  if (callers.every((one) => not.from?.some((other) => covers(other, one, trustDomain)))) {
    return 'from';
  }
  const { methods } = rule;
  if (methods?.every((one) => not.methods?.includes(one)) === true) return 'methods';
  const paths = rule.paths ?? [{ kind: 'any' } as const];
  const matches = effect === 'grants' ? isSpellingOf : pathMatches;
  const isCovered = (one: PathPattern): boolean =>
    not.paths?.some((other) => coversPath(other, one, matches)) ?? false;
  if (paths.every(isCovered)) return 'paths';
  return undefined;
}

/** Whether every caller that `inner` matches is one that `outer` matches. */
function covers(outer: Caller, inner: Caller, trustDomain: string): boolean {
  if (outer.kind === 'anyone') return true;
  switch (inner.kind) {
    case 'anyone':
      return false;
    case 'service':
      return callerMatches(outer, { spiffeId: inner.spiffeId, trustDomain });
    case 'spiffe':
      if (!inner.prefix) return callerMatches(outer, { spiffeId: inner.id, trustDomain });
      return hasPrefix(outer, inner.id, trustDomain);
    case 'namespace':
      return hasPrefix(outer, namespacePrefix(trustDomain, inner.namespace), trustDomain);
    case 'mesh':
      return hasPrefix(outer, trustDomainPrefix(trustDomain), trustDomain);
  }
}

/** Whether `outer` matches every identity that begins with `prefix`. */
function hasPrefix(outer: Caller, prefix: string, trustDomain: string): boolean {
  switch (outer.kind) {
    case 'anyone':
      return true;
    case 'mesh':
      return prefix.startsWith(trustDomainPrefix(trustDomain));
    case 'namespace':
      return prefix.startsWith(namespacePrefix(trustDomain, outer.namespace));
    case 'spiffe':
      return outer.prefix && prefix.startsWith(outer.id);
    case 'service':
      return false;
  }
}

/** Whether every path that `inner` matches is one that `outer` matches; false where in doubt. */
function coversPath(
  outer: PathPattern,
  inner: PathPattern,
  matches: (pattern: PathPattern, path: string) => boolean,
): boolean {
  if (outer.kind === 'any') return true;
  switch (inner.kind) {
    case 'exact':
      return matches(outer, inner.text);
    case 'prefix': {
      if (outer.kind !== 'prefix' || !inner.text.startsWith(outer.text)) return false;
      return inner.orExact === undefined || matches(outer, inner.orExact);
    }
    case 'suffix':
      return outer.kind === 'suffix' && inner.text.endsWith(outer.text);
    case 'template':
      return outer.kind === 'template' && outer.text === inner.text;
    case 'any':
      return false;
  }
}
