// One service may have several SPIFFE IDs while it is renamed or its account changes: rules know it
// by one of them, and who shows another is taken for that one. What reads rules asks here, with the
// aliases that the rules' own mesh has: rules of an older mesh know a service by its older ID.
import type { Alias, PortAccess } from './model.js';

const NONE: readonly Alias[] = [];

/** The identity by which rules know whoever shows this one. */
export function toKnownId(
  { aliases = NONE }: Pick<PortAccess, 'aliases'>,
  spiffeId: string | undefined,
): string | undefined {
  const alias = aliases.find(({ others }) => spiffeId !== undefined && others.includes(spiffeId));
  return alias?.spiffeId ?? spiffeId;
}

/** All identities of whom rules know by this one, that first. */
export function toShownIds(
  { aliases = NONE }: Pick<PortAccess, 'aliases'>,
  spiffeId: string,
): readonly string[] {
  const alias = aliases.find((one) => one.spiffeId === spiffeId);
  return alias === undefined ? [spiffeId] : [spiffeId, ...alias.others];
}

/** Whom a prefix names, beside those who show an identity that begins so. */
export interface Beside {
  /** Identities that don't begin so, of services that do. */
  readonly also: readonly string[];
  /** Identities that begin so, of services that don't. */
  readonly but: readonly string[];
}

export function besidePrefix(
  { aliases = NONE }: Pick<PortAccess, 'aliases'>,
  prefix: string,
): Beside {
  const begins = (id: string): boolean => id.startsWith(prefix);
  const named = aliases.filter(({ spiffeId }) => begins(spiffeId));
  const unnamed = aliases.filter(({ spiffeId }) => !begins(spiffeId));
  return {
    also: named.flatMap(({ others }) => others.filter((id) => !begins(id))),
    but: unnamed.flatMap(({ others }) => others.filter(begins)),
  };
}

/** Every identity that is an alias or has one. */
export function aliasedIds({ aliases = NONE }: Pick<PortAccess, 'aliases'>): readonly string[] {
  return aliases.flatMap(({ spiffeId, others }) => [spiffeId, ...others]);
}
