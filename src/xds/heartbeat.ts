// Resources with a TTL are said again before it is over, three times per TTL, so that one lost or
// late beat does no harm. Delta says name, version and TTL without the body. SotW repeats the
// response whole: a bare resource in it updates no content, so Envoy would take a listener or
// cluster for absent (its SotW code hands the remaining resources, none, to its CDS and LDS as the
// full state). Rule: xDS protocol, "Time to live (TTL)".
import type { Resource } from './resource.js';
import type { Effect, Session } from './session.js';
import type { TypeState } from './type-state.js';

const BEATS_PER_TTL = 3;

/** Asks for the alarm of the next beat, where none is set that comes soon enough. */
export function scheduleBeat(session: Session, type: TypeState, effects: Effect[]): void {
  const ttlMs = session.snapshot?.get(type.typeUrl)?.shortestTtlMs;
  if (ttlMs === undefined || type.beatDue) return;
  const afterMs = Math.max(1, Math.floor(ttlMs / BEATS_PER_TTL));
  if (type.beat !== undefined && type.beat.afterMs <= afterMs) return;
  session.alarms += 1;
  const nonce = `beat-${session.alarms}`;
  type.beat = { nonce, afterMs };
  effects.push({ kind: 'alarm', typeUrl: type.typeUrl, nonce, afterMs });
}

/** Takes the alarm of a beat; one that a sooner one has replaced changes nothing. */
export function takeBeat(type: TypeState, nonce: string): void {
  if (type.beat?.nonce !== nonce) return;
  type.beat = undefined;
  type.beatDue = true;
  type.dirty = true;
}

/** What the client holds and must hear of again before its time is over; the last good ones too. */
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
