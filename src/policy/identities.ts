// Which identities a rule list lets in, as a set that can be decided without a request: what a TLS
// handshake is given, and what two rule lists are compared by. Rules name identities whole or by
// how they begin, so the identities of a trust domain fall into finitely many regions (each prefix
// that a rule names, without the narrower ones inside it, and each whole name) on which every rule
// is constant: one of each decides for all.

import { namespacePrefix } from '../spiffe/index.js';
import { needsHttp } from './access.js';
import { aliasedIds } from './aliases.js';
import { decideAccess } from './decide.js';
import type { Caller, PortAccess, Rule } from './model.js';

/** An identity, or all that begin so. */
export interface IdentityName {
  readonly text: string;
  readonly prefix: boolean;
}

export interface IdentitiesInput {
  readonly trustDomain: string;
  /** Of all services that the mesh declares. */
  readonly declaredIds: Iterable<string>;
  /** SPIFFE IDs that are refused whatever the rules say. */
  readonly deniedIds?: readonly string[];
}

/** Who may open a connection, by rules that speak of requests left aside: tcp ports keep none. */
export function connectionAccess(access: PortAccess): PortAccess {
  const kept = (rules: readonly Rule[]): Rule[] => rules.filter((rule) => !needsHttp(rule));
  return { ...access, allow: kept(access.allow), deny: kept(access.deny) };
}

/**
 * The identities of the trust domain that may open a connection: names of which one must match;
 * none: nobody may. A matcher can't say "all but": where rules take somebody out of a prefix, what
 * is left of it are the identities that the mesh declares, so one that it doesn't is refused.
 */
export function connectingIdentities(
  access: PortAccess,
  { trustDomain, declaredIds, deniedIds = [] }: IdentitiesInput,
): readonly IdentityName[] {
  const rules = connectionAccess(access);
  const denied = new Set(deniedIds);
  const isLetIn = (spiffeId: string): boolean =>
    !denied.has(spiffeId) && decideAccess(rules, { spiffeId, trustDomain }).allowed;
  const names = identityNames([...rules.allow, ...rules.deny], trustDomain);
  for (const text of [...denied, ...aliasedIds(access)]) names.push({ text, prefix: false });
  const [root] = toRegions(names, trustDomain);
  const declared = [...new Set(declaredIds)].sort();
  return root === undefined ? [] : toNames(root, isLetIn, declared);
}

/** Whether callers without identity may open a connection. */
export function mayConnectPlain(access: PortAccess): boolean {
  // Whose trust domain is asked of identities alone.
  const plain = { spiffeId: undefined, trustDomain: '' };
  return decideAccess(connectionAccess(access), plain).allowed;
}

/**
 * One identity for each region on which the rules of all these are constant, besides callers
 * without identity.
 */
export function representativeIdentities(
  accesses: readonly PortAccess[],
  trustDomain: string,
): string[] {
  const names = accesses.flatMap((access) => [
    ...identityNames([...access.allow, ...access.deny], trustDomain),
    ...aliasedIds(access).map((text) => ({ text, prefix: false })),
  ]);
  return toRegions(names, trustDomain).map(toRepresentative);
}

/** Every name in the rules' `from`, within the trust domain. */
function identityNames(rules: readonly Rule[], trustDomain: string): IdentityName[] {
  const callers = rules.flatMap((rule) => [...(rule.from ?? []), ...(rule.not?.from ?? [])]);
  return callers.flatMap((caller) => toName(caller, trustDomain) ?? []);
}

function toName(caller: Caller, trustDomain: string): IdentityName | undefined {
  switch (caller.kind) {
    case 'anyone':
    case 'mesh':
      return undefined;
    case 'namespace':
      return { text: namespacePrefix(trustDomain, caller.namespace), prefix: true };
    case 'service':
      return { text: caller.spiffeId, prefix: false };
    case 'spiffe':
      return { text: caller.id, prefix: caller.prefix };
  }
}

interface Region extends IdentityName {
  readonly inner: Region[];
}

/** Each region after the one around it; the first is the trust domain's own. */
function toRegions(names: readonly IdentityName[], trustDomain: string): readonly Region[] {
  const whole: IdentityName = { text: `spiffe://${trustDomain}/`, prefix: true };
  const ours = names.filter(({ text }) => text.startsWith(whole.text));
  const sorted = [whole, ...ours].sort(byTextThenPrefix);
  const regions: Region[] = [];
  // In this order whatever begins with a prefix follows it without a gap.
  const around: Region[] = [];
  for (const { text, prefix } of sorted) {
    const last = regions.at(-1);
    if (last?.text === text && last.prefix === prefix) continue;
    while (around.length > 0 && !text.startsWith(around.at(-1)?.text ?? '')) around.pop();
    const region: Region = { text, prefix, inner: [] };
    around.at(-1)?.inner.push(region);
    regions.push(region);
    if (prefix) around.push(region);
  }
  return regions;
}

function byTextThenPrefix(a: IdentityName, b: IdentityName): number {
  if (a.text === b.text) return Number(b.prefix) - Number(a.prefix);
  return a.text < b.text ? -1 : 1;
}

/** No name has a star in it, so it is in no narrower region. */
function toRepresentative({ text, prefix }: IdentityName): string {
  return prefix ? `${text}*` : text;
}

/** A region that is let in whole is its name; of another, the declared identities that are. */
function toNames(
  root: Region,
  isLetIn: (spiffeId: string) => boolean,
  declared: readonly string[],
): IdentityName[] {
  const isWhole = (region: Region): boolean =>
    isLetIn(toRepresentative(region)) && region.inner.every(isWhole);
  const visit = (region: Region): IdentityName[] => {
    const { text, prefix, inner } = region;
    if (isWhole(region)) return [{ text, prefix }];
    const own = isLetIn(toRepresentative(region))
      ? declared.filter((id) => isWithin(id, region) && !inner.some((one) => isWithin(id, one)))
      : [];
    return [...own.map((id) => ({ text: id, prefix: false })), ...inner.flatMap(visit)];
  };
  return visit(root);
}

function isWithin(id: string, { text, prefix }: IdentityName): boolean {
  return prefix ? id.startsWith(text) : id === text;
}
