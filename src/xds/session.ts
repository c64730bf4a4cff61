// One stream of the xDS protocol as data and one function: `step(session, event)` says what to do.
// There is no I/O, clock or bytes here. SotW and delta, aggregated or not, share it; they differ in
// how a request changes a subscription (subscription.ts) and in what of a difference is sent
// (response.ts).
//
// Per type at most one response is unanswered, so a slow client gets the newest value and no queue
// grows. After each event every type that may lack something is compared with the snapshot and sent
// (flush.ts), in the order of the table in type-urls.ts.
import { MeshError } from '../base/index.js';
import { flush } from './flush.js';
import { takeBeat } from './heartbeat.js';
import type { SessionLimits } from './limits.js';
import { startResuming } from './order.js';
import type { Request, Variant } from './request.js';
import type { ResourceSet, Snapshot } from './resource.js';
import type { Response } from './response.js';
import { settleAck, settleNack } from './settle.js';
import { applyInterest } from './subscription.js';
import { createTypeState, forgetUncovered, type Rejection, type TypeState } from './type-state.js';
import { ORDER } from './type-urls.js';

/** Advanced in place by `step` only. */
export interface Session {
  readonly variant: Variant;
  readonly limits: SessionLimits;
  /** The only type of a stream of one type; undefined where a stream carries any number (ADS). */
  readonly typeUrl: string | undefined;
  /** In the order of ORDER, then of first subscription. */
  readonly types: Map<string, TypeState>;
  snapshot: Snapshot | undefined;
  /** How many responses were sent: the next nonce is one more. */
  sent: number;
  /**
   * The client came with resources of an earlier stream; `over` once it had the time to ask for all
   * that may use them.
   */
  resuming: { readonly nonce: string; over: boolean } | undefined;
  /** How many alarms were asked for: each has a nonce of its own. */
  alarms: number;
  paused: boolean;
  ended: boolean;
}

export type SessionEvent =
  | { readonly kind: 'request'; readonly request: Request }
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  /** An `alarm` effect's time is over. */
  | { readonly kind: 'alarm'; readonly typeUrl: string; readonly nonce: string }
  /** The transport takes no more for now; and again takes some. */
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'end' };

export type Effect =
  | { readonly kind: 'send'; readonly response: Response }
  | {
      readonly kind: 'acked';
      readonly typeUrl: string;
      readonly version: string;
      /** Names of the resources whose content, at this version, is new to the client. */
      readonly taken: readonly string[];
    }
  | { readonly kind: 'nacked'; readonly typeUrl: string; readonly rejection: Rejection }
  /** Step with the `alarm` event after that time. */
  | {
      readonly kind: 'alarm';
      readonly typeUrl: string;
      readonly nonce: string;
      readonly afterMs: number;
    }
  /** End the stream with this error; nothing follows. */
  | { readonly kind: 'fail'; readonly error: MeshError };

/** A stream of its own for the type `typeUrl` (LDS, RDS, …), or without it an aggregated one. */
export function createSession(
  variant: Variant,
  limits: SessionLimits,
  typeUrl?: string | undefined,
): Session {
  return {
    variant,
    limits,
    typeUrl,
    types: new Map(),
    snapshot: undefined,
    sent: 0,
    resuming: undefined,
    alarms: 0,
    paused: false,
    ended: false,
  };
}

/**
 * Takes one event and returns what to do, in that order. After `fail` or `end` there is no effect.
 */
export function step(session: Session, event: SessionEvent): readonly Effect[] {
  if (session.ended) return [];
  const effects: Effect[] = [];
  switch (event.kind) {
    case 'request':
      try {
        takeRequest(session, event.request, effects);
      } catch (error) {
        if (!(error instanceof MeshError)) throw error;
        session.ended = true;
        effects.push({ kind: 'fail', error });
      }
      break;
    case 'snapshot':
      takeSnapshot(session, event.snapshot);
      break;
    case 'alarm':
      takeAlarm(session, event);
      break;
    case 'pause':
      session.paused = true;
      break;
    case 'resume':
      session.paused = false;
      break;
    case 'end':
      session.ended = true;
      break;
  }
  flush(session, effects);
  return effects;
}

function takeAlarm(session: Session, { typeUrl, nonce }: { typeUrl: string; nonce: string }): void {
  if (session.resuming?.nonce === nonce) session.resuming.over = true;
  const type = session.types.get(typeUrl);
  if (type === undefined) return;
  if (type.inFlight?.nonce === nonce) type.inFlight.overdue = true;
  takeBeat(type, nonce);
}

function takeSnapshot(session: Session, snapshot: Snapshot): void {
  for (const type of session.types.values()) {
    const { typeUrl } = type;
    const before = session.snapshot?.get(typeUrl);
    const next = snapshot.get(typeUrl);
    if (before !== next && !isSameFor(type, before, next)) type.dirty = true;
  }
  session.snapshot = snapshot;
}

/**
 * Whether a type has the very same resources of both sets, so that what was settled by the one is
 * by the other: of a thousand streams that asked by name, a change of one resource concerns one.
 */
function isSameFor(
  { subscription }: TypeState,
  before: ResourceSet | undefined,
  next: ResourceSet | undefined,
): boolean {
  if (before === undefined || next === undefined || subscription.wildcard) return false;
  // The client is told a given version, whatever it is of.
  if (before.versionGiven === true || next.versionGiven === true) return false;
  for (const name of subscription.names) {
    if (before.resources.get(name) !== next.resources.get(name)) return false;
  }
  return true;
}

/** What a request is, by its nonce. */
type RequestKind =
  /** The first of its type on this stream. */
  | 'first'
  | 'ack'
  | 'nack'
  /** About a response that a newer one has replaced. */
  | 'stale'
  /** Answers nothing: a change of subscription, or the same one said again. */
  | 'update';

function kindOf(type: TypeState | undefined, request: Request): RequestKind {
  if (type === undefined) return 'first';
  if (request.nonce === '') return 'update';
  if (request.nonce !== type.nonce) return 'stale';
  if (type.inFlight === undefined) return 'update';
  return request.error === undefined ? 'ack' : 'nack';
}

/** The type that a request is about, which a stream of one type may leave out but not change. */
function typeOf(session: Session, request: Request): string {
  const { typeUrl } = request;
  const expected = session.typeUrl;
  if (typeUrl === '' && expected === undefined) {
    throw new MeshError('request-invalid', 'expected a type_url but got an empty one');
  }
  if (typeUrl !== '' && expected !== undefined && typeUrl !== expected) {
    const message = `expected the type_url "${expected}" of this stream but got "${typeUrl}"`;
    throw new MeshError('request-invalid', message);
  }
  return expected ?? typeUrl;
}

function takeRequest(session: Session, request: Request, effects: Effect[]): void {
  const url = typeOf(session, request);
  const known = session.types.get(url);
  const kind = kindOf(known, request);
  const type = known ?? addType(session, url);
  const { typeUrl, inFlight } = type;
  if (kind === 'ack' && inFlight !== undefined) {
    const taken = settleAck(type, inFlight);
    effects.push({ kind: 'acked', typeUrl, version: inFlight.version, taken });
  } else if (kind === 'nack' && inFlight !== undefined) {
    const rejection = settleNack(type, inFlight, request.error?.message ?? '');
    effects.push({ kind: 'nacked', typeUrl, rejection });
  }
  // SotW: a stale request is superseded by the one that answers the newest response. Delta: its
  // changes of subscription count, whatever its nonce.
  if (kind === 'stale' && session.variant === 'sotw') return;
  takeInterest(type, request, kind);
  const { interest } = request;
  const resumes = interest.variant === 'delta' && interest.initialVersions.size > 0;
  if (kind === 'first' && resumes) startResuming(session, type, effects);
  if (type.subscription.names.size > session.limits.maxNames) {
    throw new MeshError(
      'resource-limit',
      `expected at most ${session.limits.maxNames} names a type`,
    );
  }
}

function takeInterest(type: TypeState, request: Request, kind: RequestKind): void {
  const { interest } = request;
  const { subscription, traits } = type;
  const first = kind === 'first';
  const change = applyInterest(subscription, { interest, traits, first });
  if (first && interest.variant === 'sotw') type.claimed = interest.versionInfo || undefined;
  if (first && interest.variant === 'delta') {
    type.held = new Map(
      [...interest.initialVersions].map(([name, version]) => [name, { version }]),
    );
    forgetUncovered(type);
    // Time went by since the client last heard of them.
    type.beatDue = type.held.size > 0;
  }
  const isHeldNow = (name: string): boolean => first && !traits.answerAlways && type.held.has(name);
  for (const name of change.owed) if (!isHeldNow(name)) type.owed.add(name);
  if (change.wildcardOwed) {
    type.answerOwed = !first || type.held.size === 0;
    if (!first || traits.answerAlways) for (const name of type.held.keys()) type.owed.add(name);
  }
  if (change.narrowed) forgetUncovered(type);
  const repeated = kind === 'update' && interest.variant === 'sotw' && change.owed.length === 0;
  if (repeated && !change.narrowed && traits.answerAlways && type.inFlight === undefined) {
    // Said again though answered: something new in the client waits for it.
    for (const name of subscription.names) type.owed.add(name);
  }
  type.dirty = true;
}

function addType(session: Session, typeUrl: string): TypeState {
  const { types, limits } = session;
  if (types.size >= limits.maxTypes) {
    const message = `expected at most ${limits.maxTypes} types on a stream`;
    throw new MeshError('resource-limit', message);
  }
  const type = createTypeState(typeUrl);
  types.set(typeUrl, type);
  const rank = (url: string): number => {
    const index = ORDER.indexOf(url);
    return index === -1 ? ORDER.length : index;
  };
  const sorted = [...types].sort(([a], [b]) => rank(a) - rank(b));
  types.clear();
  for (const [url, state] of sorted) types.set(url, state);
  return type;
}
