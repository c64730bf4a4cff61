// What a stream knows of one type: what was asked for, what the client holds, what is under way, and what
// it has rejected. `held` moves only when the client says so (ACK); a rejected resource is parked at its
// version and isn't sent again until its content changes, while the last good one stays in force.
import type { Resource } from './resource.js';
import { createSubscription, type Subscription } from './subscription.js';
import { type TypeTraits, traitsOf } from './type-urls.js';

/** Something that the client has: ours, or known by the version that it told us only. */
export type Held = Resource | { readonly version: string };

/** In `parked`: it is the removal that was rejected. No resource has this version. */
export const REMOVED = '';

/** A response that the client hasn't answered. At most one per type. */
export interface InFlight {
  readonly nonce: string;
  readonly version: string;
  /** What the client holds once it has taken the response. */
  readonly next: ReadonlyMap<string, Held>;
  /** The resources for whose sake it was sent. */
  readonly changed: readonly Resource[];
  readonly removed: readonly string[];
  /** Unanswered for longer than `orderTimeoutMs`: holds nothing back any more. */
  overdue: boolean;
  alarmed: boolean;
}

export interface Rejection {
  /** The client's own words. */
  readonly message: string;
  readonly version: string;
  /** The resources that were new in the rejected response, each with its source. */
  readonly resources: readonly Resource[];
}

export interface TypeState {
  readonly typeUrl: string;
  readonly traits: TypeTraits;
  readonly subscription: Subscription;
  /** By name, as far as the client has confirmed it. Shared with the snapshot where they are equal. */
  held: ReadonlyMap<string, Held>;
  /** Version of `held` as the client was told it; empty before the first ACK. */
  ackedVersion: string;
  /** Version by name of what the client rejected. */
  readonly parked: Map<string, string>;
  /** Names to be answered, new content or not. */
  readonly owed: Set<string>;
  /** An answer is due, even one without resources. */
  answerOwed: boolean;
  /** SotW: the version that the client named on its first request; gone once compared. */
  claimed: string | undefined;
  inFlight: InFlight | undefined;
  rejection: Rejection | undefined;
  /** Of the newest response on this stream; empty before it. */
  nonce: string;
  sentVersion: string;
  /** The alarm of the next heartbeat, where one is set. */
  beat: { readonly nonce: string; readonly afterMs: number } | undefined;
  /** What has a TTL is to be said again. */
  beatDue: boolean;
  /** Something happened since the last look for something to send. */
  dirty: boolean;
}

const NOTHING: ReadonlyMap<string, Held> = new Map();

export function createTypeState(typeUrl: string): TypeState {
  return {
    typeUrl,
    traits: traitsOf(typeUrl),
    subscription: createSubscription(),
    held: NOTHING,
    ackedVersion: '',
    parked: new Map(),
    owed: new Set(),
    answerOwed: false,
    claimed: undefined,
    inFlight: undefined,
    rejection: undefined,
    nonce: '',
    sentVersion: '',
    beat: undefined,
    beatDue: false,
    dirty: true,
  };
}

/** The client took the response under way. */
export function settleAck(type: TypeState, inFlight: InFlight): void {
  type.inFlight = undefined;
  type.dirty = true;
  type.ackedVersion = inFlight.version;
  type.held = inFlight.next;
  forgetUncovered(type);
  for (const { name } of inFlight.changed) type.parked.delete(name);
  for (const name of inFlight.removed) type.parked.delete(name);
  if (type.parked.size === 0) type.rejection = undefined;
}

/**
 * The client rejected the response under way: what was new in it is parked. What the client had taken
 * before at the same version isn't at fault.
 */
export function settleNack(type: TypeState, inFlight: InFlight, message: string): Rejection {
  type.inFlight = undefined;
  type.dirty = true;
  const resources = inFlight.changed.filter(
    ({ name, version }) => type.held.get(name)?.version !== version,
  );
  for (const { name, version } of resources) type.parked.set(name, version);
  for (const name of inFlight.removed) type.parked.set(name, REMOVED);
  forgetUncovered(type);
  type.rejection = { message, version: inFlight.version, resources };
  return type.rejection;
}

/** Drops what is beyond the subscription: the client drops it too, and asks again if it wants it. */
export function forgetUncovered(type: TypeState): void {
  const { wildcard, names } = type.subscription;
  if (wildcard) return;
  for (const name of type.parked.keys()) if (!names.has(name)) type.parked.delete(name);
  for (const name of type.owed) if (!names.has(name)) type.owed.delete(name);
  for (const name of type.held.keys()) {
    if (names.has(name)) continue;
    type.held = new Map([...type.held].filter(([held]) => names.has(held)));
    return;
  }
}
