// After an event: sends what may be sent now. A type with a response under way waits for its
// answer; one that lacks nothing comes to rest.
import { beat, rest, send } from './apply.js';
import type { Diff } from './diff.js';
import { quietStep, type Step } from './effect.js';
import { scheduleBeat } from './heartbeat.js';
import { isBlocked, mayRemove, renew, watchSlow } from './order.js';
import { compare, isDue, lookAt } from './plan.js';
import { type Session, type TypeState, typeIn, withType } from './state.js';

/** Whether there may be something to send of a type, and nothing of it is under way. */
function isOpen({ inFlight, dirty, waiting }: TypeState): boolean {
  return inFlight === undefined && (dirty || waiting);
}

export function flush(session: Session): Step {
  if (session.paused || session.snapshot === undefined) return quietStep(session);
  const { due, step } = findDue(session);
  const sent = due.size === 0 ? step : chain(step, (now) => sendDue(now, due));
  return chain(sent, setAlarms);
}

function chain(before: Step, next: (session: Session) => Step): Step {
  const { session, effects } = next(before.session);
  if (before.effects.length === 0) return { session, effects };
  return { session, effects: [...before.effects, ...effects] };
}

/** The types that lack something, by URL, in the order of sending; all others come to rest. */
function findDue(session: Session): { readonly due: Map<string, Diff>; readonly step: Step } {
  const due = new Map<string, Diff>();
  let step = quietStep(session);
  for (const type of session.types) {
    if (!isOpen(type)) continue;
    step = chain(step, (now) => {
      const outlook = lookAt(now, type);
      if (!isDue(now.variant, outlook)) return rest(now, outlook);
      due.set(type.typeUrl, outlook.diff);
      return quietStep(withType(now, outlook.type));
    });
  }
  return { due, step };
}

/** Sends each type that is due and whose turn it is: make before break. */
function sendDue(session: Session, due: Map<string, Diff>): Step {
  const blocked = new Map<string, Diff>();
  let step = quietStep(session);
  for (const [typeUrl, diff] of due) {
    step = chain(step, (now) => {
      const type = typeIn(now, typeUrl);
      if (type === undefined) return quietStep(now);
      const removable = diff.removed.length === 0 || mayRemove(now, type, due);
      const allowed = removable ? diff : { ...diff, removed: [] };
      const sendable = { type, diff: allowed, kept: removable ? [] : diff.removed };
      if (!isDue(now.variant, sendable)) return beat(now, sendable);
      if (isBlocked(now, type, { diff: allowed, blocked })) {
        blocked.set(typeUrl, allowed);
        return watchSlow(now, type);
      }
      const sent = chain(watchSlow(now, type), (watched) => send(watched, sendable));
      const renewed = renew(sent.session, type, allowed.changed);
      if (renewed === undefined) return sent;
      if (isOpen(renewed)) due.set(renewed.typeUrl, compare(sent.session, renewed).diff);
      return { session: withType(sent.session, renewed), effects: sent.effects };
    });
  }
  return step;
}

/** The alarms of what is slow and of heartbeats to come. */
function setAlarms(session: Session): Step {
  let step = quietStep(session);
  for (const type of session.types) {
    if (type.waiting) step = chain(step, (now) => watchSlow(now, type));
    step = chain(step, (now) => scheduleBeat(now, type.typeUrl));
  }
  return step;
}
