// The state of one stream of the xDS protocol: plain data that is never changed, only replaced.
// `held` moves only when the client says so (ACK); a rejected resource is parked at its version and
// isn't sent again until its content changes, while the last good one stays in force.
import { type SessionLimits, toSessionLimits } from './limits.js';
import type { Variant } from './request.js';
import type { Resource, Snapshot } from './resource.js';
import { covers, NO_SUBSCRIPTION, type Subscription } from './subscription.js';
import { type TypeTraits, traitsOf } from './type-urls.js';

export interface Session {
  readonly variant: Variant;
  readonly limits: SessionLimits;
  /** The only type of a stream of one type; undefined where a stream carries any number (ADS). */
  readonly typeUrl: string | undefined;
  /** In the order of ORDER, then of first subscription; at most `limits.maxTypes`. */
  readonly types: readonly TypeState[];
  readonly snapshot: Snapshot | undefined;
  /** How many responses were sent: the next nonce is one more. */
  readonly sent: number;
  /**
   * The client came with resources of an earlier stream; `over` once it had the time to ask for all
   * that may use them.
   */
  readonly resuming: { readonly nonce: string; readonly over: boolean } | undefined;
  /** How many alarms were asked for: each has a nonce of its own. */
  readonly alarms: number;
  /** What a first request of this client takes beside names and versions. */
  readonly overheadBytes: number;
  /**
   * By type, names about which nothing is said while they don't exist: whoever makes resources on
   * demand is at it.
   */
  readonly awaited: ReadonlyMap<string, ReadonlySet<string>>;
  readonly paused: boolean;
  readonly ended: boolean;
}

/** What a stream knows of one type. */
export interface TypeState {
  readonly typeUrl: string;
  readonly traits: TypeTraits;
  readonly subscription: Subscription;
  /**
   * By name, as far as the client has confirmed it. Shared with the snapshot where they are equal.
   */
  readonly held: ReadonlyMap<string, Held>;
  /** Of `held`, as the client knows it; undefined before it is known to have taken anything. */
  readonly version: string | undefined;
  /** By name what the client rejected: not sent again until it changes. */
  readonly parked: ReadonlyMap<string, Parked>;
  /**
   * Groups of parked names that are to be sent again, one after the other, to find what is at
   * fault.
   */
  readonly trials: readonly (readonly string[])[];
  /** The group that may be sent now, though parked. */
  readonly trying: ReadonlySet<string>;
  /** How many trials in a row were rejected. */
  readonly failedTrials: number;
  /** Names to be answered, new content or not. */
  readonly owed: ReadonlySet<string>;
  /** An answer is due, even one without resources. */
  readonly answerOwed: boolean;
  /** SotW: the version that the client named on its first request; gone once compared. */
  readonly claimed: string | undefined;
  readonly inFlight: InFlight | undefined;
  readonly rejection: Rejection | undefined;
  /** The newest response on this stream. */
  readonly lastSent: { readonly nonce: string; readonly version: string } | undefined;
  /** The alarm of the next heartbeat, where one is set. */
  readonly beat: { readonly nonce: string; readonly afterMs: number } | undefined;
  /** The TTLs are to be renewed. */
  readonly beatDue: boolean;
  /** Content is held back until what it refers to is there. */
  readonly waiting: boolean;
  /** Something happened since the last look for something to send. */
  readonly dirty: boolean;
}

/** Something that the client has: ours, or known only by the version that it named. */
export type Held = Resource | { readonly version: string };

/** In `parked`: it is the removal that was rejected. No resource has this version. */
export const REMOVED = '';

/** Content, or a removal, that the client rejected. */
export interface Parked {
  /** Of the resource; `REMOVED` for a removal. */
  readonly version: string;
  readonly resource?: Resource;
  /** The client's words when it rejected this. */
  readonly message: string;
}

/** A response that the client hasn't answered. At most one per type. */
export interface InFlight {
  readonly nonce: string;
  readonly version: string;
  /** What the client holds once it has taken the response. */
  readonly next: ReadonlyMap<string, Held>;
  /** The resources for whose sake it was sent. */
  readonly changed: readonly Resource[];
  readonly removed: readonly string[];
  /** Unanswered for longer than `orderTimeoutMs`: it holds nothing back any more. */
  readonly overdue: boolean;
  /** An alarm was asked for that makes it overdue. */
  readonly alarmed: boolean;
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
  /** By name, what the client said of those that an earlier response had, where that differs. */
  readonly earlier?: ReadonlyMap<string, string>;
  /** What is at fault isn't known yet: parts of what was rejected are being tried. */
  readonly searching?: true;
}

const NOTHING: ReadonlyMap<string, never> = new Map<string, never>();
export const NO_NAMES: ReadonlySet<string> = new Set();

/**
 * A stream of its own for the type `typeUrl` (LDS, RDS, …), or without it an aggregated one. What
 * isn't limited is by default.
 */
export function createSession(
  variant: Variant,
  limits?: Partial<SessionLimits>,
  typeUrl?: string | undefined,
): Session {
  return {
    variant,
    limits: toSessionLimits(limits),
    typeUrl,
    types: [],
    snapshot: undefined,
    sent: 0,
    resuming: undefined,
    alarms: 0,
    overheadBytes: 0,
    awaited: NOTHING,
    paused: false,
    ended: false,
  };
}

export function createTypeState(typeUrl: string): TypeState {
  return {
    typeUrl,
    traits: traitsOf(typeUrl),
    subscription: NO_SUBSCRIPTION,
    held: NOTHING,
    version: undefined,
    parked: NOTHING,
    trials: [],
    trying: NO_NAMES,
    failedTrials: 0,
    owed: NO_NAMES,
    answerOwed: false,
    claimed: undefined,
    inFlight: undefined,
    rejection: undefined,
    lastSent: undefined,
    beat: undefined,
    beatDue: false,
    waiting: false,
    dirty: true,
  };
}

// The copies below name each field. A spread would do, but it is a call into the runtime for
// objects of this size, and took two thirds of the time of a step.

/** The session with some of it changed. */
export function changeSession(session: Session, changes: Partial<Session>): Session {
  const copy: Session = {
    variant: session.variant,
    limits: session.limits,
    typeUrl: session.typeUrl,
    types: session.types,
    snapshot: session.snapshot,
    sent: session.sent,
    resuming: session.resuming,
    alarms: session.alarms,
    overheadBytes: session.overheadBytes,
    awaited: session.awaited,
    paused: session.paused,
    ended: session.ended,
  };
  return Object.assign(copy, changes);
}

/** The state of a type with some of it changed. */
export function changeType(type: TypeState, changes: Partial<TypeState>): TypeState {
  const copy: TypeState = {
    typeUrl: type.typeUrl,
    traits: type.traits,
    subscription: type.subscription,
    held: type.held,
    version: type.version,
    parked: type.parked,
    trials: type.trials,
    trying: type.trying,
    failedTrials: type.failedTrials,
    owed: type.owed,
    answerOwed: type.answerOwed,
    claimed: type.claimed,
    inFlight: type.inFlight,
    rejection: type.rejection,
    lastSent: type.lastSent,
    beat: type.beat,
    beatDue: type.beatDue,
    waiting: type.waiting,
    dirty: type.dirty,
  };
  return Object.assign(copy, changes);
}

/** What the session knows of a type; undefined before the client has asked for it. */
export function typeIn({ types }: Session, typeUrl: string): TypeState | undefined {
  return types.find((type) => type.typeUrl === typeUrl);
}

/** The session with that state of a type that it knows, and with other changes. */
export function withType(session: Session, type: TypeState, changes?: Partial<Session>): Session {
  const at = session.types.findIndex(({ typeUrl }) => typeUrl === type.typeUrl);
  if (session.types[at] === type) return changes ? changeSession(session, changes) : session;
  const types = session.types.slice();
  types[at] = type;
  return Object.assign(changeSession(session, { types }), changes);
}

/**
 * Without what is beyond the subscription: the client drops that too, and asks again if it wants
 * it.
 */
export function forgetUncovered(type: TypeState): TypeState {
  const { subscription } = type;
  if (subscription.wildcard) return type;
  const parked = onlyCovered(type.parked, subscription);
  const held = onlyCovered(type.held, subscription);
  const owed = onlyAsked(type.owed, subscription);
  if (parked === type.parked && held === type.held && owed === type.owed) return type;
  return changeType(type, { parked, held, owed });
}

/** The same map where all of it is asked for. */
function onlyCovered<T>(
  map: ReadonlyMap<string, T>,
  subscription: Subscription,
): ReadonlyMap<string, T> {
  for (const name of map.keys()) {
    if (!covers(subscription, name)) {
      return new Map([...map].filter(([key]) => covers(subscription, key)));
    }
  }
  return map;
}

/** The same set where all of it is asked for. */
function onlyAsked(set: ReadonlySet<string>, subscription: Subscription): ReadonlySet<string> {
  for (const one of set) {
    if (!covers(subscription, one)) {
      return new Set([...set].filter((name) => covers(subscription, name)));
    }
  }
  return set;
}
