// After an event: what each type lacks, and which of it may be sent now. A type with a response
// under way waits for its answer; one that lacks nothing comes to rest.
import { computeDiff, type Diff, toNext } from './diff.js';
import { scheduleBeat, toBeats } from './heartbeat.js';
import { isBlocked, isUsable, mayRemove, renew, watchSlow } from './order.js';
import type { Resource } from './resource.js';
import { isHeldBy, toResponse } from './response.js';
import type { Effect, Session } from './session.js';
import { startTrial, updateRejection } from './settle.js';
import { NO_NAMES, type TypeState } from './type-state.js';

/** Sends what may be sent now. */
export function flush(session: Session, effects: Effect[]): void {
  if (session.ended || session.paused || session.snapshot === undefined) return;
  const pending = new Map<string, Diff>();
  for (const type of session.types.values()) {
    if (type.inFlight !== undefined || !(type.dirty || type.waiting)) continue;
    const diff = nextDiff(session, type);
    if (isDue(session, type, diff)) pending.set(type.typeUrl, diff);
    else rest(session, type, { diff, effects });
  }
  const blocked = new Set<string>();
  for (const [typeUrl, diff] of pending) {
    const type = session.types.get(typeUrl);
    if (type === undefined) continue;
    const removable = diff.removed.length === 0 || mayRemove(session, type, pending);
    const allowed = removable ? diff : { ...diff, removed: [], kept: diff.removed };
    if (!isDue(session, type, allowed)) beat(session, { type, diff: allowed }, effects);
    else if (isBlocked(session, type, { blocked, effects })) blocked.add(typeUrl);
    else {
      send(session, { type, diff: allowed }, effects);
      const renewed = renew(session, type, allowed.changed);
      if (renewed?.inFlight === undefined && renewed?.dirty) {
        pending.set(renewed.typeUrl, toDiff(session, renewed));
      }
    }
  }
  for (const type of session.types.values()) {
    if (type.waiting) watchSlow(session, type, effects);
    scheduleBeat(session, type, effects);
  }
}

/** What a type lacks, with what is to be tried next where the client rejected something. */
function nextDiff(session: Session, type: TypeState): Diff {
  for (;;) {
    startTrial(type, session.snapshot?.get(type.typeUrl));
    const diff = toDiff(session, type);
    if (isDue(session, type, diff) || type.trials.length === 0) return diff;
    // What was to be tried has changed or gone meanwhile.
    type.trying = NO_NAMES;
  }
}

function toDiff(session: Session, type: TypeState): Diff {
  const set = session.snapshot?.get(type.typeUrl);
  const options = { type, set, isUsable: (resource: Resource) => isUsable(session, resource) };
  const diff = computeDiff(options);
  const { claimed } = type;
  type.claimed = undefined;
  if (claimed === undefined || type.traits.answerAlways) return diff;
  if (!isHeldBy(session, type, { claimed, content: diff.desired })) return diff;
  // The client holds just this from an earlier stream.
  type.held = diff.desired;
  type.ackedVersion = claimed;
  type.owed.clear();
  type.answerOwed = false;
  return computeDiff(options);
}

function isDue(session: Session, type: TypeState, diff: Diff): boolean {
  if (type.answerOwed || diff.changed.length > 0 || diff.again.length > 0) return true;
  if (session.variant === 'delta') return diff.removed.length > 0 || diff.missing.length > 0;
  return type.traits.absenceDeletes && diff.removed.length > 0;
}

interface Resting {
  readonly diff: Diff;
  readonly effects: Effect[];
}

/** The client lacks nothing of this type that it can be told now, but for a heartbeat. */
function rest(session: Session, type: TypeState, { diff, effects }: Resting): void {
  type.dirty = false;
  type.waiting = diff.waiting;
  type.owed.clear();
  if (session.variant === 'sotw' && !type.traits.absenceDeletes) {
    const gone = [...type.parked.keys()].filter((name) => !diff.desired.has(name));
    for (const name of gone) type.parked.delete(name);
    if (gone.length > 0) updateRejection(type);
  }
  type.trying = NO_NAMES;
  type.held = toNext(type, diff, diff.removedAgain);
  beat(session, { type, diff: { ...diff, kept: diff.removedAgain } }, effects);
}

interface Sendable {
  readonly type: TypeState;
  /** `kept`: names that are gone from the snapshot but not yet to be taken away. */
  readonly diff: Diff & { readonly kept?: readonly string[] };
}

/** Sends a heartbeat where one is due, alone: there is nothing else to say. */
function beat(session: Session, { type, diff }: Sendable, effects: Effect[]): void {
  if (!type.beatDue) return;
  const heartbeats = toBeats(type, diff.desired);
  if (heartbeats.length === 0) type.beatDue = false;
  else send(session, { type, diff: { ...diff, removedAgain: [] } }, effects);
}

function send(session: Session, { type, diff }: Sendable, effects: Effect[]): void {
  session.sent += 1;
  const nonce = String(session.sent);
  const keeps = type.traits.absenceDeletes || session.variant === 'delta';
  const next = toNext(type, diff, keeps ? (diff.kept ?? []) : []);
  const heartbeats = type.beatDue ? beatsBeside(type, diff) : [];
  const response = toResponse(session, { type, diff, next, nonce, heartbeats });
  const { version } = response;
  type.inFlight = {
    nonce,
    version,
    next,
    changed: diff.changed,
    removed: [...diff.removed, ...diff.removedAgain],
    overdue: false,
    alarmed: false,
  };
  type.nonce = nonce;
  type.sentVersion = version;
  type.owed.clear();
  type.answerOwed = false;
  type.beatDue = false;
  type.waiting = diff.waiting;
  // What waits for its users is looked at again when they are answered.
  type.dirty = false;
  effects.push({ kind: 'send', response });
}

/** The heartbeats of what the same response doesn't send whole or take away. */
function beatsBeside(type: TypeState, diff: Diff): readonly Resource[] {
  const { changed, again, removed, removedAgain } = diff;
  const said = [...changed, ...again].map(({ name }) => name);
  const names = new Set([...said, ...removed, ...removedAgain]);
  return toBeats(type, diff.desired).filter(({ name }) => !names.has(name));
}
