// What a stream's state means to whoever asks: an operator (`status`) or a phase that waits for the
// fleet.
import { type Absent, type Standing, standingOf } from './standing.js';
import { type Rejection, type Session, typeIn } from './state.js';
import { traitsOf } from './type-urls.js';

/** A type that the client has asked for. */
export interface TypeReport {
  readonly typeUrl: string;
  readonly wildcard: boolean;
  /** Names subscribed to beside the wildcard. */
  readonly names: ReadonlySet<string>;
  /** What the client has of the type. */
  readonly standing: Exclude<Standing, Absent>;
  /** Version of the newest response; undefined before the first. */
  readonly sentVersion: string | undefined;
  /** What the client has taken, by name. */
  readonly acked: ReadonlyMap<string, { readonly version: string }>;
}

/** Each subscribed type, in send order. */
export function toReports(session: Session): readonly TypeReport[] {
  return session.types.map((type) => ({
    typeUrl: type.typeUrl,
    wildcard: type.subscription.wildcard,
    names: type.subscription.names,
    standing: standingOf(type),
    sentVersion: type.lastSent?.version,
    acked: type.held,
  }));
}

/** What the client rejected of a type and that still stands in the snapshot. */
export function rejectionOf({ standing }: TypeReport): Rejection | undefined {
  return standing.state === 'nacked' ? standing.rejection : undefined;
}

/** Whether something that the client asked for is on its way to it, or waits for its turn. */
export function isUnderWay({ standing }: TypeReport): boolean {
  return standing.state === 'pending' || (standing.state === 'nacked' && standing.retrying);
}

/** What the client has taken of a type, by name. */
export function heldOf(session: Session, typeUrl: string): TypeReport['acked'] | undefined {
  return typeIn(session, typeUrl)?.held;
}

/**
 * Whether the client last took that resource at that version, on this stream or by its own word.
 */
export function isInForce(
  session: Session,
  resource: { readonly typeUrl: string; readonly name: string; readonly version: string },
): boolean {
  const held = typeIn(session, resource.typeUrl)?.held.get(resource.name);
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
    if (whole && typeIn(session, typeUrl) === undefined) return false;
  }
  return session.types.every((type) => standingOf(type).state === 'synced');
}
