// When a type may be sent, on a stream that carries several: make before break. The table is in
// type-urls.ts. An addition waits for the answers to what it needs, but only so long; a removal
// waits until nothing in force on the client can use it; and a change may make another type's
// resource due again.
import type { Diff } from './diff.js';
import { type Effect, quietStep, type Step } from './effect.js';
import { isRelated } from './related.js';
import type { Resource } from './resource.js';
import {
  changeSession,
  changeType,
  type Session,
  type TypeState,
  typeIn,
  withType,
} from './state.js';
import { covers } from './subscription.js';

export interface Waiting {
  /** What is to be sent. */
  readonly diff: Diff;
  /** By type, what waits for its own turn. */
  readonly blocked: ReadonlyMap<string, Diff>;
}

/**
 * Whether something that must be in place before what is to be sent isn't yet: a response that is
 * unanswered, or what waits itself, and that has to do with it.
 */
export function isBlocked(
  session: Session,
  { typeUrl, traits }: TypeState,
  { diff, blocked }: Waiting,
): boolean {
  return traits.after.some((url) => {
    const inFlight = typeIn(session, url)?.inFlight;
    const isOpen = inFlight !== undefined && !inFlight.overdue;
    const waits = blocked.get(url);
    if (!isOpen && waits === undefined) return false;
    const unanswered = isOpen ? inFlight.changed : [];
    const sent = { typeUrl, resources: [...diff.changed, ...diff.again] };
    const others = { typeUrl: url, resources: [...unanswered, ...(waits?.changed ?? [])] };
    return isRelated(session.snapshot, sent, others);
  });
}

/** Asks for an alarm for each unanswered response that this type waits for. */
export function watchSlow(session: Session, { traits }: TypeState): Step {
  let watched = session;
  const effects: Effect[] = [];
  for (const typeUrl of traits.after) {
    const type = typeIn(watched, typeUrl);
    if (type?.inFlight === undefined || type.inFlight.overdue || type.inFlight.alarmed) continue;
    watched = withType(
      watched,
      changeType(type, { inFlight: { ...type.inFlight, alarmed: true } }),
    );
    const { nonce } = type.inFlight;
    effects.push({ kind: 'alarm', typeUrl, nonce, afterMs: timeoutOf(session, typeUrl) });
  }
  return effects.length === 0 ? quietStep(session) : { session: watched, effects };
}

function timeoutOf({ limits }: Session, typeUrl: string): number {
  return limits.orderTimeoutMsByType?.get(typeUrl) ?? limits.orderTimeoutMs;
}

/**
 * A client that comes with resources from an earlier stream: what it hasn't asked for yet may use
 * them. It asks for everything at the start, so a while later what it hasn't asked for isn't there.
 */
export function startResuming(session: Session, { typeUrl }: TypeState): Step {
  if (session.resuming !== undefined || session.typeUrl !== undefined) return quietStep(session);
  const alarms = session.alarms + 1;
  const nonce = `resume-${alarms}`;
  const afterMs = session.limits.orderTimeoutMs;
  return {
    session: changeSession(session, { alarms, resuming: { nonce, over: false } }),
    effects: [{ kind: 'alarm', typeUrl, nonce, afterMs }],
  };
}

/**
 * Whether the client has what the resource's bytes refer to, of the types that it takes as a whole:
 * of others it asks for the names that it meets. A mute type is trusted once its time is over.
 */
export function isUsable(session: Session, { references = [] }: Resource): boolean {
  return references.every(({ typeUrl, name }) => {
    const type = typeIn(session, typeUrl);
    if (type === undefined || !type.traits.absenceDeletes || type.held.has(name)) return true;
    return type.inFlight?.overdue === true && type.inFlight.next.has(name);
  });
}

/**
 * Whether nothing that is in force on the client can use what this type would remove. Unlike an
 * addition, a removal never goes ahead because of a deadline or a rejection: a resource too many
 * does no harm.
 */
export function mayRemove(
  session: Session,
  type: TypeState,
  due: ReadonlyMap<string, Diff>,
): boolean {
  const { removeAfter, removeAfterAsked = [] } = type.traits;
  const asked = removeAfterAsked.filter((url) => typeIn(session, url) !== undefined);
  return [...removeAfter, ...asked].every((url) => {
    const user = typeIn(session, url);
    if (user === undefined) return session.resuming === undefined || session.resuming.over;
    const { inFlight, rejection, waiting } = user;
    return inFlight === undefined && rejection === undefined && !waiting && !due.has(url);
  });
}

/**
 * What waits in the client for just this change is due again, right after it: what the resource
 * refers to, and where it names nothing, what has its own name.
 * Returns the type that is due again, if any.
 */
export function renew(
  session: Session,
  { traits, held }: TypeState,
  changed: readonly Resource[],
): TypeState | undefined {
  const type = traits.renews === undefined ? undefined : typeIn(session, traits.renews);
  if (type === undefined) return undefined;
  const owed = new Set(type.owed);
  for (const resource of changed) {
    if (held.get(resource.name)?.version === resource.version) continue;
    for (const name of namesOf(resource, type.typeUrl)) {
      const sentBefore = type.held.has(name) || type.inFlight?.next.has(name) === true;
      if (sentBefore && covers(type.subscription, name)) owed.add(name);
    }
  }
  return owed.size === type.owed.size ? undefined : changeType(type, { owed, dirty: true });
}

function namesOf({ name, references = [] }: Resource, typeUrl: string): readonly string[] {
  const referred = references.filter((reference) => reference.typeUrl === typeUrl);
  return referred.length === 0 ? [name] : referred.map((reference) => reference.name);
}
