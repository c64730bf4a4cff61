// A TTL is renewed before it is over, three times per TTL, so that one lost or late heartbeat does
// no harm. Delta sends name, version and TTL without the body. SotW repeats the whole response: a
// bare resource in it updates no content, so Envoy would take a listener or cluster for absent (its
// SotW code hands the remaining resources, none, to its CDS and LDS as the full state). Rule: xDS
// protocol, "Time to live (TTL)".
import { quietStep, type Step } from './effect.js';
import type { Resource } from './resource.js';
import { changeType, type Session, type TypeState, typeIn, withType } from './state.js';

const BEATS_PER_TTL = 3;

/** Asks for the alarm of the next heartbeat, where none is set that comes soon enough. */
export function scheduleBeat(session: Session, typeUrl: string): Step {
  const ttlMs = session.snapshot?.get(typeUrl)?.shortestTtlMs;
  const type = typeIn(session, typeUrl);
  if (ttlMs === undefined || type === undefined || type.beatDue) return quietStep(session);
  const afterMs = Math.max(1, Math.floor(ttlMs / BEATS_PER_TTL));
  if (type.beat !== undefined && type.beat.afterMs <= afterMs) return quietStep(session);
  const alarms = session.alarms + 1;
  const nonce = `beat-${alarms}`;
  return {
    session: withType(session, changeType(type, { beat: { nonce, afterMs } }), { alarms }),
    effects: [{ kind: 'alarm', typeUrl, nonce, afterMs }],
  };
}

/** Takes the alarm of a heartbeat; one that a sooner one has replaced changes nothing. */
export function takeBeat(type: TypeState, nonce: string): TypeState {
  if (type.beat?.nonce !== nonce) return type;
  return changeType(type, { beat: undefined, beatDue: true, dirty: true });
}

/** What the client holds and must hear of again before its TTL is over; the last good ones too. */
export function toBeats(
  { held }: TypeState,
  desired: ReadonlyMap<string, Resource>,
): readonly Resource[] {
  return [...held].flatMap(([name, known]) => {
    const resource = 'value' in known ? known : desired.get(name);
    const isBeat = resource?.ttlMs !== undefined && resource.version === known.version;
    return isBeat ? [resource] : [];
  });
}
