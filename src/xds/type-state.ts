// What a stream knows of one type: what was asked for, what the client holds, what is under way,
// and what it has rejected. `held` moves only when the client says so (ACK); a rejected resource is
// parked at its version and isn't sent again until its content changes, while the last good one
// stays in force.
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
  /** The client's own words, the last ones. */
  readonly message: string;
  /** Of the response that was rejected last. */
  readonly version: string;
  /**
   * What is held back for it, each with its source: what is at fault, and while that isn't known,
   * suspects.
   */
  readonly resources: readonly Resource[];
  /** What is at fault isn't known yet: parts of what was rejected are being tried. */
  readonly searching?: true;
}

/** Content, or a removal, that the client rejected. */
export interface Parked {
  /** Of the resource; `REMOVED` for a removal. */
  readonly version: string;
  readonly resource?: Resource;
}

export interface TypeState {
  readonly typeUrl: string;
  readonly traits: TypeTraits;
  readonly subscription: Subscription;
  /**
   * By name, as far as the client has confirmed it. Shared with the snapshot where they are equal.
   */
  held: ReadonlyMap<string, Held>;
  /** Version of `held` as the client was told it; empty before the first ACK. */
  ackedVersion: string;
  /** By name what the client rejected: not sent again until it changes. */
  readonly parked: Map<string, Parked>;
  /**
   * Groups of parked names that are to be sent again, one after the other, to find what is at
   * fault.
   */
  trials: (readonly string[])[];
  /** The group that may be sent now, though parked. */
  trying: ReadonlySet<string>;
  /** How many trials in a row were rejected. */
  failedTrials: number;
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
  /** Content is held back until what it refers to is there. */
  waiting: boolean;
  /** Something happened since the last look for something to send. */
  dirty: boolean;
}

const NOTHING: ReadonlyMap<string, Held> = new Map();
export const NO_NAMES: ReadonlySet<string> = new Set();

export function createTypeState(typeUrl: string): TypeState {
  return {
    typeUrl,
    traits: traitsOf(typeUrl),
    subscription: createSubscription(),
    held: NOTHING,
    ackedVersion: '',
    parked: new Map(),
    trials: [],
    trying: NO_NAMES,
    failedTrials: 0,
    owed: new Set(),
    answerOwed: false,
    claimed: undefined,
    inFlight: undefined,
    rejection: undefined,
    nonce: '',
    sentVersion: '',
    beat: undefined,
    beatDue: false,
    waiting: false,
    dirty: true,
  };
}

/**
 * Drops what is beyond the subscription: the client drops it too, and asks again if it wants it.
 */
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
