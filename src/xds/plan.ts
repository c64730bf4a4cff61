// What a type lacks, and whether it is due: it is to be sent something as soon as its turn comes.
// Nothing is recorded here: apply.ts does that.
import { computeDiff, type Diff } from './diff.js';
import { isUsable } from './order.js';
import type { Variant } from './request.js';
import type { Resource } from './resource.js';
import { isHeldBy } from './response.js';
import { startTrial } from './settle.js';
import { changeType, NO_NAMES, type Session, type TypeState } from './state.js';

/** A type and what it lacks. */
export interface Outlook {
  readonly type: TypeState;
  readonly diff: Diff;
}

/** What a type lacks, with what is to be tried next where the client rejected something. */
export function lookAt(session: Session, type: TypeState): Outlook {
  const set = session.snapshot?.get(type.typeUrl);
  let outlook = compare(session, startTrial(type, set));
  while (!isDue(session.variant, outlook) && outlook.type.trials.length > 0) {
    // What was to be tried has changed or gone meanwhile.
    outlook = compare(session, startTrial(changeType(outlook.type, { trying: NO_NAMES }), set));
  }
  return outlook;
}

export function isDue(variant: Variant, { type, diff }: Outlook): boolean {
  if (type.answerOwed || diff.changed.length > 0 || diff.again.length > 0) return true;
  if (variant === 'delta') return diff.removed.length > 0 || diff.missing.length > 0;
  return type.traits.absenceDeletes && diff.removed.length > 0;
}

/** What a type lacks, once it is known whether the client came with all of it. */
export function compare(session: Session, type: TypeState): Outlook {
  const set = session.snapshot?.get(type.typeUrl);
  const options = {
    set,
    isUsable: (resource: Resource) => isUsable(session, resource),
    awaited: session.awaited.get(type.typeUrl),
  };
  const diff = computeDiff({ type, ...options });
  const { claimed } = type;
  if (claimed === undefined) return { type, diff };
  const asked = changeType(type, { claimed: undefined });
  if (type.traits.answerAlways || !isHeldBy(session, type, { claimed, content: diff.desired })) {
    return { type: asked, diff };
  }
  // The client holds just this from an earlier stream.
  const resumed = changeType(asked, {
    held: diff.desired,
    version: claimed,
    owed: NO_NAMES,
    answerOwed: false,
  });
  return { type: resumed, diff: computeDiff({ type: resumed, ...options }) };
}
