// What decides at one port: the scopes' rules folded into one (MODEL.md "Access").
import type { SourceRef } from '../base/index.js';
import type { PortAccess, Protocol, RuleFields } from './model.js';
import type { Chain, ScopedRule } from './scopes.js';
import { placeAt, type Tree } from './tree.js';

export interface EffectiveAccess {
  readonly access: PortAccess;
  /** Rules of wider scopes that this port's protocol can't keep: they don't take part. */
  readonly skipped: readonly ScopedRule[];
}

export interface AccessInput {
  readonly chain: Chain;
  readonly protocol: Protocol;
  /** The port's own place, for what is nowhere written. */
  readonly source: SourceRef;
  readonly tree: Tree;
}

export function resolveAccess({ chain, protocol, source, tree }: AccessInput): EffectiveAccess {
  const deny = chain.flatMap((scope) => scope.deny);
  const allow = allowRules(chain);
  const kept = ({ rule }: ScopedRule): boolean => protocol !== 'tcp' || !needsHttp(rule);
  const decides = chain.find(({ settings }) => settings.allow ?? settings.access);
  const otherwise = decides?.allow !== undefined ? 'deny' : (decides?.settings.access ?? 'allow');
  const key = decides?.allow !== undefined ? 'allow' : 'access';
  return {
    access: {
      deny: deny.filter(kept).map(({ rule }) => rule),
      allow: allow.filter(kept).map(({ rule }) => rule),
      otherwise,
      source: decides === undefined ? source : placeAt(tree, [...decides.path, key]),
    },
    skipped: [...deny, ...allow].filter((rule) => !kept(rule)),
  };
}

/** The rules of the scope that decides, then those of the next wider list for each `inherit`. */
function allowRules(chain: Chain): ScopedRule[] {
  const first = chain.findIndex(({ settings }) => settings.allow ?? settings.access);
  const decides = chain[first]?.allow;
  if (decides === undefined) return [];
  const rules = [...decides.rules];
  let inherits = decides.inherits;
  for (const { allow } of chain.slice(first + 1)) {
    if (!inherits) break;
    if (allow === undefined) continue;
    rules.push(...allow.rules);
    inherits = allow.inherits;
  }
  return rules;
}

/** Whether the rule speaks of requests, which a tcp port has none of. */
export function needsHttp(rule: RuleFields & { readonly not?: RuleFields }): boolean {
  const { not, methods, paths } = rule;
  return methods !== undefined || paths !== undefined || (not !== undefined && needsHttp(not));
}

/** Whether a rule of the port looks at paths: then they are normalised before rules see them. */
export function looksAtPaths({ deny, allow }: PortAccess): boolean {
  return [...deny, ...allow].some(({ paths, not }) => (paths ?? not?.paths) !== undefined);
}
