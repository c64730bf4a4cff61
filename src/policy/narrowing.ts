// Whether a change of rules takes something away from somebody who had it: then what is open of it
// is to end, which no rule does by itself. Each identity is compared by what is left of the rules
// when only its requests are looked at. Where that can't be compared exactly, it is said to be
// narrower: a connection that is cut for nothing is made again, one that stays serves on.
import { isDeepStrictEqual } from 'node:util';
import { needsHttp } from './access.js';
import type { WhoCalls } from './caller.js';
import { mayPass, ruleMatchesCaller, toKnown } from './decide.js';
import { connectionAccess, representativeIdentities } from './identities.js';
import type { PathPattern, PortAccess, Rule, RuleFields } from './model.js';
import { pathMatches } from './path-pattern.js';
import { haveSameMeaning } from './same-meaning.js';

export interface AccessChange {
  readonly before: PortAccess;
  readonly after: PortAccess;
  readonly trustDomain: string;
  /** Whether requests are decided, or connections alone. */
  readonly http: boolean;
  /** Who has an identity comes without it then. Default: as before. */
  readonly isPlainAfter?: boolean;
}

/** Who loses something that they had. */
export interface Narrowing {
  readonly identities: boolean;
  /** Callers without identity. */
  readonly plain: boolean;
}

export function compareAccess({
  before,
  after,
  trustDomain,
  http,
  isPlainAfter = false,
}: AccessChange): Narrowing {
  const old = http ? before : connectionAccess(before);
  const next = http ? after : connectionAccess(after);
  const isSame = haveSameMeaning(old, next) && isDeepStrictEqual(old.aliases, next.aliases);
  if (!isPlainAfter && isSame) return { identities: false, plain: false };
  const isNarrower = (spiffeId: string | undefined): boolean =>
    isNarrowerFor(
      toSide(old, { spiffeId, trustDomain }),
      toSide(next, { spiffeId: isPlainAfter ? undefined : spiffeId, trustDomain }),
    );
  return {
    identities: representativeIdentities([old, next], trustDomain).some(isNarrower),
    plain: isNarrower(undefined),
  };
}

/** Rules, and who one caller is to them. */
interface Side {
  readonly access: PortAccess;
  readonly who: WhoCalls;
}

function toSide(access: PortAccess, who: WhoCalls): Side {
  return { access, who: toKnown(access, who) };
}

function isNarrowerFor(old: Side, next: Side): boolean {
  if (!mayPass(old.access, old.who)) return false;
  if (!mayPass(next.access, next.who)) return true;
  const [oldDenies, nextDenies] = [old, next].map(({ access, who }) => toPieces(access.deny, who));
  if (!nextDenies?.every((piece) => oldDenies?.some((one) => covers(one, piece)))) return true;
  if (grantsAll(next)) return false;
  if (grantsAll(old)) return true;
  const [oldAllows, nextAllows] = [old, next].map(({ access, who }) => toPieces(access.allow, who));
  return !oldAllows?.every((piece) => nextAllows?.some((one) => covers(one, piece)));
}

/** But for what `deny` says; the identities that are compared are of the mesh's own domain. */
function grantsAll({ access: { allow, otherwise }, who }: Side): boolean {
  return (
    otherwise === 'allow' || allow.some((rule) => ruleMatchesCaller(rule, who) && !needsHttp(rule))
  );
}

/** The requests of one caller that a rule matches, of one method and one path at the most. */
interface Piece {
  /** Undefined: any. */
  readonly method: string | undefined;
  readonly path: PathPattern | undefined;
  /** But none of these. */
  readonly not: RuleFields;
}

function toPieces(rules: readonly Rule[], who: WhoCalls): readonly Piece[] {
  return rules
    .filter((rule) => ruleMatchesCaller(rule, who))
    .flatMap(({ methods = [undefined], paths = [undefined], not = {} }) =>
      methods.flatMap((method) => paths.map((path): Piece => ({ method, path, not }))),
    );
}

/** Whether surely each request of `b` is one of `a`. */
function covers(a: Piece, b: Piece): boolean {
  if (a.method !== undefined && a.method !== b.method) return false;
  if (a.path !== undefined && !coversPath(a.path, b.path)) return false;
  const { methods = [], paths = [] } = a.not;
  return (
    methods.every((method) => b.not.methods?.includes(method) ?? false) &&
    paths.every((path) => b.not.paths?.some((other) => isDeepStrictEqual(other, path)) ?? false)
  );
}

function coversPath(a: PathPattern, b: PathPattern | undefined): boolean {
  if (a.kind === 'any' || isDeepStrictEqual(a, b)) return true;
  if (b === undefined) return false;
  if (b.kind === 'exact') return pathMatches(a, b.text);
  if (a.kind === 'prefix' && b.kind === 'prefix') {
    const both = b.orExact === undefined ? [b.text] : [b.text, b.orExact];
    return both.every((text) => pathMatches(a, text));
  }
  return a.kind === 'suffix' && b.kind === 'suffix' && b.text.endsWith(a.text);
}
