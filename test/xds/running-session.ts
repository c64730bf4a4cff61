// A session that is stepped, event by event.
import {
  createSession,
  DEFAULT_SESSION_LIMITS,
  type Effect,
  type Session,
  type SessionEvent,
  type SessionLimits,
  step,
  type Variant,
} from '../../src/xds/index.js';

export interface RunningSession {
  /** As it is now. */
  readonly now: Session;
  /** Takes an event; what is to be done. */
  feed(event: SessionEvent): readonly Effect[];
}

export function runSession(
  variant: Variant,
  options: { readonly limits?: Partial<SessionLimits>; readonly typeUrl?: string | undefined } = {},
): RunningSession {
  const limits = { ...DEFAULT_SESSION_LIMITS, ...options.limits };
  let session = createSession(variant, limits, options.typeUrl);
  return {
    get now() {
      return session;
    },
    feed(event) {
      const next = step(session, event);
      session = next.session;
      return next.effects;
    },
  };
}
