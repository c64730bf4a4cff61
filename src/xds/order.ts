// When a type may be sent, on a stream that carries several: make before break. The table is in
// type-urls.ts. An addition waits for the answers to what it needs, but only so long; a removal
// waits until nothing in force on the client can use it; and a change may make another type's
// resource due again.
import type { Diff } from './diff.js';
import type { Resource } from './resource.js';
import type { Effect, Session } from './session.js';
import { covers } from './subscription.js';
import type { TypeState } from './type-state.js';

export interface Blocking {
  /** Types that wait themselves. */
  readonly blocked: ReadonlySet<string>;
  readonly effects: Effect[];
}

/**
 * Whether a type that must be in place before this one isn't yet; asks for an alarm where it is
 * slow.
 */
export function isBlocked(
  session: Session,
  type: TypeState,
  { blocked, effects }: Blocking,
): boolean {
  watchSlow(session, type, effects);
  return type.traits.after.some((url) => {
    const inFlight = session.types.get(url)?.inFlight;
    return (inFlight !== undefined && !inFlight.overdue) || blocked.has(url);
  });
}

/** Asks for an alarm for each unanswered response that this type waits for. */
export function watchSlow(session: Session, { traits }: TypeState, effects: Effect[]): void {
  for (const typeUrl of traits.after) {
    const inFlight = session.types.get(typeUrl)?.inFlight;
    if (inFlight === undefined || inFlight.overdue || inFlight.alarmed) continue;
    inFlight.alarmed = true;
    const { nonce } = inFlight;
    effects.push({ kind: 'alarm', typeUrl, nonce, afterMs: timeoutOf(session, typeUrl) });
  }
}

function timeoutOf({ limits }: Session, typeUrl: string): number {
  return limits.orderTimeoutMsByType?.get(typeUrl) ?? limits.orderTimeoutMs;
}

/**
 * A client that comes with resources from an earlier stream: what it hasn't asked for yet may use
 * them. It asks for everything at the start, so a while later what it hasn't asked for isn't there.
 */
export function startResuming(session: Session, { typeUrl }: TypeState, effects: Effect[]): void {
  if (session.resuming !== undefined || session.typeUrl !== undefined) return;
  session.alarms += 1;
  const nonce = `resume-${session.alarms}`;
  session.resuming = { nonce, over: false };
  effects.push({ kind: 'alarm', typeUrl, nonce, afterMs: session.limits.orderTimeoutMs });
}

/**
 * Whether the client has what the resource's bytes refer to, of the types that it takes as a whole:
 * of others it asks for the names that it meets. A mute type is trusted once its time is over.
 */
export function isUsable(session: Session, { references = [] }: Resource): boolean {
  return references.every(({ typeUrl, name }) => {
    const type = session.types.get(typeUrl);
    if (type === undefined || !type.traits.absenceDeletes || type.held.has(name)) return true;
    return type.inFlight?.overdue === true && type.inFlight.next.has(name);
  });
}

/**
 * Whether nothing that is in force on the client can use what this type would remove. Unlike an
 * addition, a removal never goes ahead because of a deadline or of a rejection: what is too much
 * does no harm.
 */
export function mayRemove(
  session: Session,
  type: TypeState,
  pending: ReadonlyMap<string, Diff>,
): boolean {
  return type.traits.removeAfter.every((url) => {
    const user = session.types.get(url);
    if (user === undefined) return session.resuming === undefined || session.resuming.over;
    const { inFlight, rejection, waiting } = user;
    return inFlight === undefined && rejection === undefined && !waiting && !pending.has(url);
  });
}

/**
 * What waits in the client for just this change is due again, right after it: what the resource
 * refers to, and where it doesn't say, what has its name.
 */
export function renew(
  session: Session,
  { traits, held }: TypeState,
  changed: readonly Resource[],
): TypeState | undefined {
  const type = traits.renews === undefined ? undefined : session.types.get(traits.renews);
  if (type === undefined) return undefined;
  for (const resource of changed) {
    if (held.get(resource.name)?.version === resource.version) continue;
    for (const name of namesOf(resource, type.typeUrl)) {
      const sentBefore = type.held.has(name) || type.inFlight?.next.has(name) === true;
      if (!sentBefore || !covers(type.subscription, name)) continue;
      type.owed.add(name);
      type.dirty = true;
    }
  }
  return type;
}

function namesOf({ name, references = [] }: Resource, typeUrl: string): readonly string[] {
  const referred = references.filter((reference) => reference.typeUrl === typeUrl);
  return referred.length === 0 ? [name] : referred.map((reference) => reference.name);
}
