// Records what was decided about a type (plan.ts): a response gets its nonce and is under way, or
// the type comes to rest.
import { type Diff, toNext } from './diff.js';
import { quietStep, type Step } from './effect.js';
import { toBeats } from './heartbeat.js';
import type { Outlook } from './plan.js';
import type { Resource } from './resource.js';
import { toResponse, versionFor } from './response.js';
import { updateRejection, withoutNames } from './settle.js';
import { changeType, NO_NAMES, type Session, type TypeState, withType } from './state.js';

interface Sendable extends Outlook {
  /** Names that are gone from the snapshot but not yet to be taken away. */
  readonly kept: readonly string[];
}

/** Sends what a type lacks. */
export function send(session: Session, { type, diff, kept }: Sendable): Step {
  const count = session.sent + 1;
  const nonce = String(count);
  const keeps = type.traits.absenceDeletes || session.variant === 'delta';
  const next = toNext(type, diff, keeps ? kept : []);
  const heartbeats = type.beatDue ? beatsBeside(type, diff) : [];
  const response = toResponse(session, { type, diff, next, nonce, heartbeats });
  const { version } = response;
  const sent = changeType(type, {
    inFlight: {
      nonce,
      version,
      next,
      changed: diff.changed,
      removed: [...diff.removed, ...diff.removedAgain],
      overdue: false,
      alarmed: false,
    },
    lastSent: { nonce, version },
    owed: stillOwed(type, diff),
    answerOwed: false,
    beatDue: false,
    waiting: diff.waiting,
    // What waits for its users is looked at again when they have answered.
    dirty: false,
  });
  return {
    session: withType(session, sent, { sent: count }),
    effects: [{ kind: 'send', response }],
  };
}

/**
 * Names that a response leaves unanswered: what is awaited, and what it takes away though somebody
 * waits to hear of it by name.
 */
function stillOwed(type: TypeState, { awaited, removed }: Diff): ReadonlySet<string> {
  const left = type.traits.answersByName ? [...awaited, ...removed] : awaited;
  return left.length === 0 ? NO_NAMES : new Set(left.filter((name) => type.owed.has(name)));
}

/** The heartbeats of what the same response doesn't send whole or take away. */
function beatsBeside(type: TypeState, diff: Diff): readonly Resource[] {
  const { changed, again, removed, removedAgain } = diff;
  const sent = [...changed, ...again].map(({ name }) => name);
  const names = new Set([...sent, ...removed, ...removedAgain]);
  return toBeats(type, diff.desired).filter(({ name }) => !names.has(name));
}

/** Sends a heartbeat where one is due, alone: there is nothing else to send. */
export function beat(session: Session, { type, diff, kept }: Sendable): Step {
  if (!type.beatDue) return quietStep(withType(session, type));
  if (toBeats(type, diff.desired).length === 0) {
    return quietStep(withType(session, changeType(type, { beatDue: false })));
  }
  return send(session, { type, diff: { ...diff, removedAgain: [] }, kept });
}

/** The client lacks nothing of this type that it can be sent now, but for a heartbeat. */
export function rest(session: Session, { type: before, diff }: Outlook): Step {
  const held = toNext(before, diff, diff.removedAgain);
  const isWhole = held === diff.desired;
  const type = changeType(forgetGone(session, before, diff), {
    held,
    // A client that came with all of it needed no response that says the version.
    version:
      before.version ??
      (isWhole ? versionFor(session, before, { content: held, whole: true }) : undefined),
    owed: stillOwed(before, diff),
    trying: NO_NAMES,
    waiting: diff.waiting,
    dirty: false,
  });
  return beat(session, { type, diff, kept: diff.removedAgain });
}

/** SotW has no words for the removal of most types: what was rejected of them is simply gone. */
function forgetGone(session: Session, type: TypeState, { desired }: Diff): TypeState {
  if (session.variant !== 'sotw' || type.traits.absenceDeletes) return type;
  const gone = [...type.parked.keys()].filter((name) => !desired.has(name));
  if (gone.length === 0) return type;
  return updateRejection(changeType(type, { parked: withoutNames(type.parked, gone) }));
}
