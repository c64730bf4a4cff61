// What a response carries, per variant: SotW holds the whole of what the client is to have, delta
// what changed and what is gone.
import type { Diff } from './diff.js';
import type { Resource } from './resource.js';
import type { Held, Session, TypeState } from './state.js';
import { versionOf } from './version.js';

export interface Response {
  readonly typeUrl: string;
  readonly version: string;
  readonly nonce: string;
  readonly resources: readonly Resource[];
  /** Delta: names that are gone or don't exist. Empty in SotW. */
  readonly removed: readonly string[];
  /**
   * Delta: resources of which only the TTL is renewed. Empty in SotW, which repeats them whole.
   */
  readonly heartbeats: readonly Resource[];
  /**
   * Delta, of types whose clients wait to hear of a name (VHDS): names that don't exist, each sent
   * as a resource without a body that has that alias. Such a name isn't in `removed`.
   */
  readonly unresolved?: readonly string[];
}

const NONE: readonly string[] = [];

export interface Draft {
  readonly type: TypeState;
  readonly diff: Diff;
  /** What the client holds once it has taken the response. */
  readonly next: ReadonlyMap<string, Held>;
  readonly nonce: string;
  readonly heartbeats: readonly Resource[];
}

export function toResponse(session: Session, draft: Draft): Response {
  const { type, diff, next, nonce, heartbeats } = draft;
  const { typeUrl } = type;
  const version = versionFor(session, type, { content: next, whole: next === diff.desired });
  if (session.variant === 'sotw') {
    const resources = [...next.values()].filter((held) => 'value' in held);
    return { typeUrl, nonce, version, resources, removed: [], heartbeats: [] };
  }
  const byName = type.traits.answersByName === true;
  const { changed, again, removed, removedAgain, missing } = diff;
  return {
    typeUrl,
    nonce,
    version,
    resources: [...changed, ...again],
    removed: byName ? [...removed, ...removedAgain] : [...removed, ...removedAgain, ...missing],
    heartbeats,
    unresolved: byName ? missing : NONE,
  };
}

/**
 * SotW: the version of exactly what the client is left with, or the one that was given for it.
 * Delta: that of the whole set, for people to read.
 */
export function versionFor(
  { variant, snapshot }: Session,
  { typeUrl }: TypeState,
  { content, whole }: { content: ReadonlyMap<string, Held>; whole: boolean },
): string {
  const set = snapshot?.get(typeUrl);
  if (set === undefined) return versionOf(content);
  const isKnown = variant === 'delta' || set.resources === content || (set.versionGiven && whole);
  return isKnown ? set.version : versionOf(content);
}

/**
 * SotW: whether a client that names this version on a new stream surely holds just `content`. A
 * version that was given doesn't tell which names were held then, and what has a TTL may have
 * expired meanwhile.
 */
export function isHeldBy(
  session: Session,
  type: TypeState,
  { claimed, content }: { claimed: string; content: ReadonlyMap<string, Held> },
): boolean {
  const set = session.snapshot?.get(type.typeUrl);
  if (set?.shortestTtlMs !== undefined) return false;
  if (set?.versionGiven && set.resources !== content) return false;
  return claimed === versionFor(session, type, { content, whole: true });
}
