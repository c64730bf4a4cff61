// Access, decided: for one request, or for whether any request of a caller could pass. Translation,
// `explain` and the analysis share these, so they can't disagree.

import { trustDomainPrefix } from '../spiffe/index.js';
import { needsHttp } from './access.js';
import { toKnownId } from './aliases.js';
import { callerMatches, type WhoCalls } from './caller.js';
import type { Mesh, Port, PortAccess, Rule, RuleFields, Service } from './model.js';
import { pathMatches } from './path-pattern.js';
import { isSpellingOf } from './path-spellings.js';

/**
 * A request as rules see it; `path` without query, normalised. Undefined fields: a tcp
 * connection.
 */
export interface AccessRequest extends WhoCalls {
  readonly method?: string;
  readonly path?: string;
}

export interface AccessDecision {
  readonly allowed: boolean;
  /** The rule that decided; undefined: no rule matched, `otherwise` did. */
  readonly rule: Rule | undefined;
}

/**
 * Whether the rule's `from` (and `not.from`) match this caller; what it says of requests is left
 * open.
 */
export function ruleMatchesCaller(rule: Rule, who: WhoCalls): boolean {
  const from = rule.from?.some((caller) => callerMatches(caller, who)) ?? true;
  return from && !(rule.not?.from?.some((caller) => callerMatches(caller, who)) ?? false);
}

/** What a match of a rule, or of its `not`, does to a request. */
export type Effect = 'grants' | 'takes';

/** What a match of the rule's `not` does. */
export function notEffect(effect: Effect): Effect {
  return effect === 'grants' ? 'takes' : 'grants';
}

/**
 * Whether all of the rule's fields match, and none of `not`'s. What grants compares methods and
 * paths as they are written, what takes away by all that an application may read as the same:
 * methods without their case, which HTTP/2 carries as it is, and paths in each spelling.
 * @param effect Of the list that the rule stands in: `allow` grants, `deny` takes.
 */
function ruleMatches(rule: Rule, request: AccessRequest, effect: Effect): boolean {
  if (!ruleMatchesCaller(rule, request)) return false;
  const { not = {} } = rule;
  return (
    (rule.methods === undefined || methodsMatch(rule, request, effect)) &&
    (rule.paths === undefined || pathsMatch(rule, request, effect)) &&
    !methodsMatch(not, request, notEffect(effect)) &&
    !pathsMatch(not, request, notEffect(effect))
  );
}

function methodsMatch(
  { methods = [] }: RuleFields,
  { method }: AccessRequest,
  effect: Effect,
): boolean {
  if (method === undefined) return false;
  // Rules have methods in upper case; ASCII, as Envoy folds it.
  const upper = method.replaceAll(/[a-z]/g, (letter) => letter.toUpperCase());
  return methods.includes(effect === 'grants' ? method : upper);
}

function pathsMatch({ paths = [] }: RuleFields, { path }: AccessRequest, effect: Effect): boolean {
  if (path === undefined) return false;
  const matches = effect === 'grants' ? pathMatches : isSpellingOf;
  return paths.some((pattern) => matches(pattern, path));
}

/** The caller as these rules know it. */
export function toKnown<T extends WhoCalls>(access: PortAccess, who: T): T {
  return access.aliases === undefined ? who : { ...who, spiffeId: toKnownId(access, who.spiffeId) };
}

/** MODEL.md "Access", steps 1 and 2. */
export function decideAccess(access: PortAccess, asked: AccessRequest): AccessDecision {
  const request = toKnown(access, asked);
  const denied = access.deny.find((rule) => ruleMatches(rule, request, 'takes'));
  if (denied !== undefined) return { allowed: false, rule: denied };
  const allowed = access.allow.find((rule) => ruleMatches(rule, request, 'grants'));
  if (allowed !== undefined) return { allowed: true, rule: allowed };
  return { allowed: access.otherwise === 'allow' && !isForeign(request), rule: undefined };
}

/** Whether some request of this caller could be permitted. */
export function mayPass(access: PortAccess, caller: WhoCalls): boolean {
  const who = toKnown(access, caller);
  if (access.deny.some((rule) => !needsHttp(rule) && ruleMatchesCaller(rule, who))) return false;
  if (access.allow.some((rule) => ruleMatchesCaller(rule, who))) return true;
  return access.otherwise === 'allow' && !isForeign(who);
}

/** Another trust domain's identity is served only where an allow rule names it. */
function isForeign({ spiffeId, trustDomain }: WhoCalls): boolean {
  return spiffeId !== undefined && !spiffeId.startsWith(trustDomainPrefix(trustDomain));
}

export interface Call {
  readonly caller: Service;
  readonly callee: Service;
  /** One of `callee.ports`. */
  readonly port: Port;
}

/**
 * Whether any request of `caller` to that port could be permitted: what a sidecar needs to know
 * of the callee at all. On a DISABLE port nobody has an identity, so only `anyone` matches.
 */
export function mayCall(mesh: Mesh, { caller, port }: Call): boolean {
  const spiffeId = port.mode === 'disable' ? undefined : caller.spiffeId;
  return mayPass(port.access, { spiffeId, trustDomain: mesh.trustDomain });
}
