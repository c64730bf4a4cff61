// Access rules as Envoy RBAC. One filter has one action, so there are two: `deny` (a match
// refuses), then `allow` (no match refuses). A rule becomes one policy: its fields are conditions
// that must all hold, `not`'s must each fail. Principals are URI SANs that TLS verified, so they
// never match a caller in plain text.

import assert from 'node:assert';
import { envoy } from '../gen/envoy.js';
import {
  besidePrefix,
  type Caller,
  type Effect,
  looksAtPaths,
  needsHttp,
  notEffect,
  type Port,
  type PortAccess,
  type Rule,
  type RuleFields,
  toShownIds,
} from '../policy/index.js';
import { namespacePrefix, trustDomainPrefix } from '../spiffe/index.js';
import { toOnlyWay, type Way } from './forms.js';
import { toPaths, toUnreadablePaths } from './rbac-paths.js';
import { toRevokedPolicies } from './revoked.js';

const v3 = envoy.config.rbac.v3;
type Rbac = envoy.config.rbac.v3.RBAC;
type Policy = envoy.config.rbac.v3.Policy;
type Principal = envoy.config.rbac.v3.Principal;
type Permission = envoy.config.rbac.v3.Permission;
type StringMatcher = envoy.type.matcher.v3.StringMatcher;

const ANY_PRINCIPAL: Principal = { any: true };
const ANY_PERMISSION: Permission = { any: true };

export interface RbacContext {
  readonly trustDomain: string;
  /** TCP ports know no methods and paths: none of their rules has such fields. */
  readonly http: boolean;
  /** SPIFFE IDs that are refused everywhere. */
  readonly deniedIds: readonly string[];
}

/** With the identities that services of those rules may show. */
type Context = RbacContext & Pick<PortAccess, 'aliases'>;

function withAliases(context: RbacContext, { aliases }: PortAccess): Context {
  return aliases === undefined ? context : { ...context, aliases };
}

/** Rules of the `deny` filter, revoked identities first; without a rule it refuses nothing. */
export function toDenyRules(form: Port, context: RbacContext): Rbac {
  const policies = {
    ...toRevokedPolicies(context.deniedIds),
    ...(context.http && looksAtPaths(form.access)
      ? { 'unreadable-path': toUnreadablePaths(form.escapedSlashes) }
      : {}),
    ...toPolicies(
      { rules: form.access.deny, effect: 'takes', way: undefined },
      withAliases(context, form.access),
    ),
  };
  return { action: v3.RBAC.Action.DENY, policies };
}

/**
 * Rules of the `allow` filter; without a policy it refuses everything. They permit only those who
 * come by a way that the form gives: a connection by another may be open still, or its chain be
 * first.
 */
export function toAllowRules(form: Port, outer: RbacContext): Rbac {
  const context = withAliases(outer, form.access);
  const way = toOnlyWay(form);
  const policies = toPolicies({ rules: form.access.allow, effect: 'grants', way }, context);
  if (form.access.otherwise === 'allow') {
    const principals = way === undefined ? [ANY_PRINCIPAL] : [toComer(way, context)];
    policies['otherwise'] = { permissions: [ANY_PERMISSION], principals };
  }
  return { action: v3.RBAC.Action.ALLOW, policies };
}

/** Permits nothing to anybody. */
export const ALLOW_NOTHING: Rbac = { action: v3.RBAC.Action.ALLOW, policies: {} };

interface RuleList {
  readonly rules: readonly Rule[];
  readonly effect: Effect;
  /** Those who come by it; undefined: whoever comes. */
  readonly way: Way | undefined;
}

function toPolicies(
  { rules, effect, way }: RuleList,
  context: Context,
): { [name: string]: Policy } {
  const policies: { [name: string]: Policy } = {};
  for (const [index, rule] of rules.entries()) {
    // The policy leaves such rules out of the access of a TCP port, and reports them.
    assert(context.http || !needsHttp(rule), 'a rule of a TCP port asks for no method or path');
    // Nobody has an identity in plain text.
    if (way === 'plain' && needsIdentity(rule)) continue;
    policies[`rule-${index}`] = toPolicy(rule, { effect, way }, context);
  }
  return policies;
}

function needsIdentity({ from }: Rule): boolean {
  return from?.every(({ kind }) => kind !== 'anyone') ?? false;
}

/**
 * Whoever comes that way. By TLS is with an identity: without one only a port serves that serves
 * plain text in the same form. Without a name `authenticated` is any TLS, with a certificate or
 * without.
 */
function toComer(way: Way, context: Context): Principal {
  return way === 'tls'
    ? toBeginning(trustDomainPrefix(context.trustDomain), context)
    : { notId: { authenticated: {} } };
}

function toPolicy(
  rule: Rule,
  { effect, way }: Pick<RuleList, 'effect' | 'way'>,
  context: Context,
): Policy {
  const principals: Principal[] = [];
  const permissions: Permission[] = [];
  if (rule.from !== undefined) principals.push(toCallers(rule.from, context));
  if (way !== undefined && !needsIdentity(rule)) principals.push(toComer(way, context));
  permissions.push(...toRequestConditions(rule, effect));
  if (rule.not?.from !== undefined) principals.push({ notId: toCallers(rule.not.from, context) });
  for (const condition of toRequestConditions(rule.not ?? {}, notEffect(effect))) {
    permissions.push({ notRule: condition });
  }
  return {
    principals: [principals.length === 0 ? ANY_PRINCIPAL : { andIds: { ids: principals } }],
    permissions: [permissions.length === 0 ? ANY_PERMISSION : { andRules: { rules: permissions } }],
  };
}

function toCallers(callers: readonly Caller[], context: Context): Principal {
  return { orIds: { ids: callers.map((caller) => toPrincipal(caller, context)) } };
}

function toPrincipal(caller: Caller, context: Context): Principal {
  const { trustDomain } = context;
  switch (caller.kind) {
    case 'anyone':
      return ANY_PRINCIPAL;
    case 'mesh':
      return toBeginning(trustDomainPrefix(trustDomain), context);
    case 'namespace':
      return toBeginning(namespacePrefix(trustDomain, caller.namespace), context);
    case 'service':
      return toEither(toShownIds(context, caller.spiffeId).map(toExact));
    case 'spiffe':
      return caller.prefix
        ? toBeginning(caller.id, context)
        : toEither(toShownIds(context, caller.id).map(toExact));
  }
}

/** Services whose identity begins so, whatever they show. */
function toBeginning(prefix: string, context: Context): Principal {
  const { also, but } = besidePrefix(context, prefix);
  const named = toEither([toIdentity({ prefix }), ...also.map(toExact)]);
  if (but.length === 0) return named;
  return { andIds: { ids: [named, { notId: toEither(but.map(toExact)) }] } };
}

function toExact(id: string): Principal {
  return toIdentity({ exact: id });
}

function toEither(principals: readonly Principal[]): Principal {
  const [only] = principals;
  return only !== undefined && principals.length === 1 ? only : { orIds: { ids: principals } };
}

/** `principal_name` is matched against the peer's verified URI SAN where it has one. */
function toIdentity(name: StringMatcher): Principal {
  return { authenticated: { principalName: name } };
}

function toRequestConditions(fields: RuleFields, effect: Effect): Permission[] {
  const conditions: Permission[] = [];
  if (fields.methods !== undefined) {
    conditions.push({ orRules: { rules: fields.methods.map((one) => toMethod(one, effect)) } });
  }
  if (fields.paths !== undefined) {
    conditions.push({ orRules: { rules: fields.paths.flatMap((path) => toPaths(path, effect)) } });
  }
  return conditions;
}

/** HTTP/2 carries any case, and an application may not look at it: `ruleMatches`. */
function toMethod(method: string, effect: Effect): Permission {
  const ignoreCase = effect === 'takes';
  return { header: { name: ':method', stringMatch: { exact: method, ignoreCase } } };
}
