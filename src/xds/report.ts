// What a stream's state means to whoever asks: an operator (`status`) or a phase that waits for the
// fleet.
import type { Session } from './session.js';
import type { Rejection } from './type-state.js';
import { traitsOf } from './type-urls.js';

export interface TypeReport {
  readonly typeUrl: string;
  readonly wildcard: boolean;
  /** Names subscribed to beside the wildcard. */
  readonly names: ReadonlySet<string>;
  /** Version of the newest response; empty before the first. */
  readonly sentVersion: string;
  /** Version that the client last took; empty before it took one. */
  readonly ackedVersion: string;
  /** Something is unanswered, or waits to be sent. */
  readonly pending: boolean;
  /** What the client rejected and that still stands in the snapshot. */
  readonly rejection: Rejection | undefined;
  /** What the client has taken, by name. A view: copy what must outlive the next event. */
  readonly acked: ReadonlyMap<string, { readonly version: string }>;
}

/** State of each subscribed type, in send order. */
export function toReports(session: Session): readonly TypeReport[] {
  return [...session.types.values()].map((type) => ({
    typeUrl: type.typeUrl,
    wildcard: type.subscription.wildcard,
    names: type.subscription.names,
    sentVersion: type.sentVersion,
    ackedVersion: type.ackedVersion,
    pending: type.inFlight !== undefined || type.dirty || type.waiting,
    rejection: type.rejection,
    acked: type.held,
  }));
}

/**
 * Whether the client last took that resource at that version, on this stream or by its own word.
 */
export function isInForce(
  session: Session,
  resource: { readonly typeUrl: string; readonly name: string; readonly version: string },
): boolean {
  const held = session.types.get(resource.typeUrl)?.held.get(resource.name);
  return held?.version === resource.version;
}

/**
 * Whether the client has taken all of the snapshot that it asked for, and asked for every type that
 * it takes as a whole. It may not have asked yet for a name (a secret, a route) that this content
 * refers to: ask `isInForce` of those.
 */
export function isSynced(session: Session): boolean {
  if (session.snapshot === undefined) return false;
  for (const [typeUrl, set] of session.snapshot) {
    if (session.typeUrl !== undefined && session.typeUrl !== typeUrl) continue;
    const whole = traitsOf(typeUrl).absenceDeletes && set.resources.size > 0;
    if (whole && !session.types.has(typeUrl)) return false;
  }
  return [...session.types.values()].every(
    ({ inFlight, dirty, waiting, rejection }) =>
      inFlight === undefined && !dirty && !waiting && rejection === undefined,
  );
}
