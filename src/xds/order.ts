// When a type may be sent, on a stream that carries several: make before break. The table is in
// type-urls.ts. An addition waits for the answers to what it needs, but only so long; a removal waits until
// nothing in force on the client can use it; and a change may make another type's resource due again.
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

/** Whether a type that must be in place before this one isn't yet; asks for an alarm where it is slow. */
export function isBlocked(
  session: Session,
  type: TypeState,
  { blocked, effects }: Blocking,
): boolean {
  let result = false;
  for (const url of type.traits.after) {
    const inFlight = session.types.get(url)?.inFlight;
    if (inFlight !== undefined && !inFlight.overdue) {
      result = true;
      if (inFlight.alarmed) continue;
      inFlight.alarmed = true;
      const { nonce } = inFlight;
      effects.push({ kind: 'alarm', typeUrl: url, nonce, afterMs: session.limits.orderTimeoutMs });
    }
    result ||= blocked.has(url);
  }
  return result;
}

/**
 * Whether nothing that is in force on the client can use what this type would remove. Unlike an addition,
 * a removal never goes ahead because of a deadline or of a rejection: what is too much does no harm.
 */
export function mayRemove(
  session: Session,
  type: TypeState,
  pending: ReadonlyMap<string, Diff>,
): boolean {
  return type.traits.removeAfter.every((url) => {
    const user = session.types.get(url);
    if (user === undefined) return true;
    return user.inFlight === undefined && user.rejection === undefined && !pending.has(url);
  });
}

/** What waits in the client for just this change is due again, right after it. */
export function renew(
  session: Session,
  { traits, held }: TypeState,
  changed: readonly Resource[],
): TypeState | undefined {
  const type = traits.renews === undefined ? undefined : session.types.get(traits.renews);
  if (type === undefined) return undefined;
  for (const { name, version } of changed) {
    const isNew = held.get(name)?.version !== version;
    const sentBefore = type.held.has(name) || type.inFlight?.next.has(name) === true;
    if (!isNew || !sentBefore || !covers(type.subscription, name)) continue;
    type.owed.add(name);
    type.dirty = true;
  }
  return type;
}
