// One stream of the xDS protocol as one pure function: `step(session, event)` says what the session
// is from now on and what to do. There is no I/O, clock or bytes here. SotW and delta, aggregated
// or not, share it; they differ in how a request changes a subscription (subscription.ts) and in
// what of a difference is sent (response.ts).
//
// A step first takes the event (take-request.ts and below), then sends what may be sent now
// (flush.ts): every type that may lack something is compared with the snapshot, in the order of the
// table in type-urls.ts. At most one response of a type is unanswered, so a slow client gets the
// newest value and no queue grows.
import { type Effect, quietStep, type SessionEvent, type Step } from './effect.js';
import { flush } from './flush.js';
import { takeBeat } from './heartbeat.js';
import type { ResourceSet, Snapshot } from './resource.js';
import { whyRefused } from './returnable.js';
import {
  changeSession,
  changeType,
  type Session,
  type TypeState,
  typeIn,
  withType,
} from './state.js';
import { takeRequest } from './take-request.js';

/**
 * The session after an event, and what to do, in that order. After `fail` or `end` there is no
 * effect.
 */
export function step(session: Session, event: SessionEvent): Step {
  if (session.ended) return quietStep(session);
  const taken = take(session, event);
  if (taken.session.ended) return taken;
  const flushed = flush(taken.session);
  if (taken.effects.length === 0) return flushed;
  const effects: readonly Effect[] = [...taken.effects, ...flushed.effects];
  return { session: flushed.session, effects };
}

function take(session: Session, event: SessionEvent): Step {
  switch (event.kind) {
    case 'request':
      return takeRequest(session, event.request);
    case 'snapshot':
      return checkSnapshot(session, event.snapshot) ?? takeSnapshot(session, event.snapshot);
    case 'check':
      return checkSnapshot(session, event.snapshot) ?? quietStep(session);
    case 'alarm':
      return quietStep(takeAlarm(session, event));
    case 'retry':
      return quietStep(takeRetry(session, event));
    case 'await':
      return quietStep(changeAwaited(session, event, (names, name) => names.add(name)));
    case 'answer':
      return quietStep(changeAwaited(session, event, (names, name) => names.delete(name)));
    case 'pause':
      return quietStep(changeSession(session, { paused: true }));
    case 'resume':
      return quietStep(changeSession(session, { paused: false }));
    case 'end':
      return quietStep(changeSession(session, { ended: true }));
  }
}

function changeAwaited(
  session: Session,
  { typeUrl, names }: { readonly typeUrl: string; readonly names: readonly string[] },
  change: (awaited: Set<string>, name: string) => void,
): Session {
  const left = new Set(session.awaited.get(typeUrl));
  for (const name of names) change(left, name);
  const awaited = new Map(session.awaited).set(typeUrl, left);
  if (left.size === 0) awaited.delete(typeUrl);
  const changed = changeSession(session, { awaited });
  const type = typeIn(session, typeUrl);
  return type === undefined ? changed : withType(changed, changeType(type, { dirty: true }));
}

function takeAlarm(
  session: Session,
  { typeUrl, nonce }: { readonly typeUrl: string; readonly nonce: string },
): Session {
  const { resuming } = session;
  const isOver = resuming?.nonce === nonce;
  const later = isOver
    ? changeSession(session, { resuming: { ...resuming, over: true } })
    : session;
  const type = typeIn(later, typeUrl);
  if (type === undefined) return later;
  const { inFlight } = type;
  const isLate = inFlight?.nonce === nonce;
  const watched = isLate ? changeType(type, { inFlight: { ...inFlight, overdue: true } }) : type;
  return withType(later, takeBeat(watched, nonce));
}

function checkSnapshot(session: Session, snapshot: Snapshot): Step | undefined {
  const error = whyRefused(session, snapshot);
  return error && { session, effects: [{ kind: 'refused', error }] };
}

/** Only what is parked is sent again, and only it: nothing else of the type is due for it. */
function takeRetry(
  session: Session,
  { typeUrl, names }: { readonly typeUrl: string; readonly names: readonly string[] },
): Session {
  const type = typeIn(session, typeUrl);
  const parked = names.filter((name) => type?.parked.get(name)?.resource !== undefined);
  if (type === undefined || parked.length === 0) return session;
  return withType(session, changeType(type, { trials: [...type.trials, parked], dirty: true }));
}

function takeSnapshot(session: Session, snapshot: Snapshot): Step {
  const types = session.types.map((type) => {
    const before = session.snapshot?.get(type.typeUrl);
    const after = snapshot.get(type.typeUrl);
    if (type.dirty || before === after || isSameFor(type, before, after)) return type;
    return changeType(type, { dirty: true });
  });
  return quietStep(changeSession(session, { snapshot, types }));
}

/**
 * Whether a type has the very same resources of both sets, so that what was settled by the one is
 * by the other: of a thousand streams that asked by name, a change of one resource concerns one.
 */
function isSameFor(
  { subscription }: TypeState,
  before: ResourceSet | undefined,
  next: ResourceSet | undefined,
): boolean {
  if (before === undefined || next === undefined || subscription.wildcard) return false;
  if (subscription.globs.size > 0) return false;
  // The client learns a given version, whatever it is of.
  if (before.versionGiven === true || next.versionGiven === true) return false;
  for (const name of subscription.names) {
    if (before.resources.get(name) !== next.resources.get(name)) return false;
  }
  return true;
}
