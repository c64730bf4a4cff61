// What a request of the client changes: it answers a response, changes a subscription, or both.
import { MeshError } from '../base/index.js';
import { type Effect, quietStep, type Step } from './effect.js';
import { collectionOf, toGlobs } from './glob.js';
import { startResuming } from './order.js';
import type { Request } from './request.js';
import { whyNotBack } from './returnable.js';
import { settleAck, settleNack } from './settle.js';
import {
  changeSession,
  changeType,
  createTypeState,
  forgetUncovered,
  NO_NAMES,
  type Session,
  type TypeState,
  typeIn,
  withType,
} from './state.js';
import { applyInterest } from './subscription.js';
import { ORDER } from './type-urls.js';

/** The session once it has taken the request. An invalid request ends it, with `fail`. */
export function takeRequest(before: Session, request: Request): Step {
  const { overheadBytes = before.overheadBytes } = request;
  const session =
    overheadBytes === before.overheadBytes ? before : changeSession(before, { overheadBytes });
  const url = typeOf(session, request);
  if (url instanceof MeshError) return fail(session, url);
  const known = typeIn(session, url);
  if (known === undefined && session.types.length >= session.limits.maxTypes) {
    const message = `expected at most ${session.limits.maxTypes} types on a stream`;
    return fail(session, new MeshError('resource-limit', message));
  }
  const kind = kindOf(known, request);
  const answered = takeAnswer(known ?? createTypeState(url), kind, request);
  // SotW: a stale request is superseded by the one that answers the newest response. Delta: its
  // changes of subscription count, whatever its nonce.
  const read = kind === 'stale' ? noteRead(session, request) : session;
  if (kind === 'stale' && session.variant === 'sotw') return quietStep(read);
  const type = takeInterest(answered.type, request, kind);
  const asked = known === undefined ? addType(session, type) : withType(read, type);
  const { interest } = request;
  const resumes = interest.variant === 'delta' && interest.initialVersions.size > 0;
  const started = kind === 'first' && resumes ? startResuming(asked, type) : quietStep(asked);
  const effects = [...answered.effects, ...started.effects];
  const error = refusalOf(session, answered.type, type);
  if (error !== undefined) return fail(started.session, error, effects);
  return { session: started.session, effects };
}

/**
 * A nonce that comes back under another type answers nothing, but shows that the client has read
 * that response: it holds nothing back any longer.
 */
function noteRead(session: Session, { nonce }: Request): Session {
  const type = session.types.find(({ inFlight }) => inFlight?.nonce === nonce);
  if (type?.inFlight === undefined) return session;
  return withType(session, changeType(type, { inFlight: { ...type.inFlight, overdue: true } }));
}

/** Why a subscription is too much. */
function refusalOf(session: Session, before: TypeState, type: TypeState): MeshError | undefined {
  if (type.subscription === before.subscription) return undefined;
  const { maxNames } = session.limits;
  if (type.subscription.names.size > maxNames) {
    return new MeshError('resource-limit', `expected at most ${maxNames} names a type`);
  }
  return whyNotBack(session, type, session.snapshot?.get(type.typeUrl));
}

function fail(session: Session, error: MeshError, before: readonly Effect[] = []): Step {
  return {
    session: changeSession(session, { ended: true }),
    effects: [...before, { kind: 'fail', error }],
  };
}

/** The type that a request is about, which a stream of one type may leave out but not change. */
function typeOf(session: Session, request: Request): string | MeshError {
  const { typeUrl } = request;
  const expected = session.typeUrl;
  if (typeUrl === '' && expected === undefined) {
    return new MeshError('request-invalid', 'expected a type_url but got an empty one');
  }
  if (typeUrl !== '' && expected !== undefined && typeUrl !== expected) {
    const message = `expected the type_url "${expected}" of this stream but got "${typeUrl}"`;
    return new MeshError('request-invalid', message);
  }
  return expected ?? typeUrl;
}

/** What a request is, by its nonce. */
type RequestKind =
  /** The first of its type on this stream. */
  | 'first'
  | 'ack'
  | 'nack'
  /** About a response that a newer one has replaced. */
  | 'stale'
  /** Answers nothing: a change of subscription, or the same one again. */
  | 'update';

function kindOf(type: TypeState | undefined, request: Request): RequestKind {
  if (type === undefined) return 'first';
  if (request.nonce === '') return 'update';
  if (request.nonce !== type.lastSent?.nonce) return 'stale';
  if (type.inFlight === undefined) return 'update';
  return request.error === undefined ? 'ack' : 'nack';
}

interface Answered {
  readonly type: TypeState;
  readonly effects: readonly Effect[];
}

function takeAnswer(type: TypeState, kind: RequestKind, request: Request): Answered {
  const { typeUrl, inFlight } = type;
  if (inFlight === undefined) return { type, effects: [] };
  if (kind === 'ack') {
    const { version } = inFlight;
    const { type: settled, taken } = settleAck(type, inFlight);
    return { type: settled, effects: [{ kind: 'acked', typeUrl, version, taken }] };
  }
  if (kind === 'nack') {
    const message = request.error?.message ?? '';
    const { type: settled, rejection } = settleNack(type, inFlight, message);
    return { type: settled, effects: [{ kind: 'nacked', typeUrl, rejection }] };
  }
  return { type, effects: [] };
}

function takeInterest(before: TypeState, request: Request, kind: RequestKind): TypeState {
  const { interest } = request;
  const { traits } = before;
  const first = kind === 'first';
  const change = applyInterest(before.subscription, { interest, traits, first });
  const { subscription } = change;
  if (subscription === before.subscription && !first && kind !== 'update') return before;
  let type = changeType(before, { subscription, dirty: true });
  if (first) type = takeClaims(type, request);
  if (change.narrowed) type = forgetUncovered(type);
  const { held } = type;
  const owed = new Set(type.owed);
  const isHeldNow = (name: string): boolean => first && !traits.answerAlways && held.has(name);
  for (const name of change.owed) if (!isHeldNow(name)) owed.add(name);
  const globs = subscription.globs.size === 0 ? NO_NAMES : toGlobs(change.owed);
  if (globs.size > 0 && !first) {
    for (const name of held.keys()) if (globs.has(collectionOf(name))) owed.add(name);
  }
  if (change.wildcardOwed && (!first || traits.answerAlways)) {
    for (const name of held.keys()) owed.add(name);
  }
  const repeated = kind === 'update' && interest.variant === 'sotw' && change.owed.length === 0;
  if (repeated && !change.narrowed && traits.answerAlways && type.inFlight === undefined) {
    // Asked again though answered: something new in the client waits for it.
    for (const name of subscription.names) owed.add(name);
  }
  const answerOwed = change.wildcardOwed ? !first || held.size === 0 : type.answerOwed;
  return changeType(type, { owed, answerOwed });
}

/** What the client claims to have from an earlier stream. */
function takeClaims(type: TypeState, { interest }: Request): TypeState {
  if (interest.variant === 'sotw') {
    return changeType(type, { claimed: interest.versionInfo || undefined });
  }
  const { initialVersions } = interest;
  const held = new Map([...initialVersions].map(([name, version]) => [name, { version }]));
  const covered = forgetUncovered(changeType(type, { held }));
  // Time went by since the client last heard of them.
  return changeType(covered, { beatDue: covered.held.size > 0 });
}

function addType(session: Session, type: TypeState): Session {
  const rank = ({ typeUrl }: TypeState): number => {
    const index = ORDER.indexOf(typeUrl);
    return index === -1 ? ORDER.length : index;
  };
  const sorted = [...session.types, type].sort((a, b) => rank(a) - rank(b));
  return changeSession(session, { types: sorted });
}
