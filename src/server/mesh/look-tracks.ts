// One look at the sidecars: every track that can take its next step takes it (decision 044).
import { toShortText } from '../../base/index.js';
import type { ServiceName } from '../../policy/index.js';
import type { Planned } from './edit-ports.js';
import { goBack, goForth, lingerMs, nextStep, whenLate } from './kinds.js';
import type { Moment } from './port-track.js';
import {
  hasAll,
  type Reason,
  type Sidecar,
  type StepName,
  type Track,
  type TrackId,
} from './track.js';
import { type Arrival, type Tracks, withPlanned } from './tracks.js';

/** What is to come by itself. */
export type Due =
  /** The deadline of a track's running step, or of the newest mesh's arrival. */
  | { readonly kind: 'deadline'; readonly of: TrackId | 'arrival'; readonly sinceMs: number }
  /** What was on its way when callers had moved has arrived. */
  | {
      readonly kind: 'lingered';
      readonly of: TrackId;
      readonly sinceMs: number;
      readonly step: StepName;
    };

/** Something has come to pass, unless that step is no longer the running one. */
export function passed(state: Tracks, due: Due): Tracks {
  if (due.of === 'arrival') {
    const { arrival } = state;
    if (arrival?.sinceMs !== due.sinceMs) return state;
    return { ...state, arrival: { ...arrival, isOverdue: true } };
  }
  const track = state.tracks.get(due.of);
  if (track?.sinceMs !== due.sinceMs) return state;
  const next: Track =
    due.kind === 'deadline' ? { ...track, isOverdue: true } : { ...track, linger: 'over' };
  return { ...state, tracks: new Map([...state.tracks, [due.of, next]]) };
}

/** @param proxies The connected ones, and those that may come back within their grace. */
export function look(state: Tracks, proxies: readonly Sidecar[], nowMs: number): Tracks {
  const seen = toSeen(proxies);
  const tracks = new Map<TrackId, Track>();
  const moved: Planned[] = [];
  const moment = { nowMs, meshes: [state.published] };
  for (const [id, old] of state.tracks) {
    const noted = noteThose(old, seen);
    const next = state.isPaused === true && !mayMove(old) ? noted : turn(noted, seen, moment);
    if (next === undefined) continue;
    tracks.set(id, next);
    const [step] = next.steps;
    if (step !== undefined && step !== old.steps[0]) moved.push({ id, track: next, isBegun: true });
  }
  const looked = { ...state, tracks, arrival: arrive(state.arrival, proxies) };
  return moved.length === 0
    ? looked
    : withPlanned(looked, { planned: moved, before: state.tracks, nowMs });
}

type Seen = ReadonlyMap<ServiceName, readonly Sidecar[]>;

function toSeen(proxies: readonly Sidecar[]): Seen {
  const seen = new Map<ServiceName, Sidecar[]>();
  for (const proxy of proxies) {
    const others = seen.get(proxy.service);
    if (others === undefined) seen.set(proxy.service, [proxy]);
    else others.push(proxy);
  }
  return seen;
}

/** Those whom the running step concerns. */
function toConcerned({ steps }: Track, seen: Seen): readonly Sidecar[] {
  return steps[0]?.awaits.flatMap((service) => seen.get(service) ?? []) ?? [];
}

/** While all is paused: back, and to its end, but not on. */
function mayMove({ steps, held }: Track): boolean {
  return held === undefined ? steps.length === 1 : steps.length > 0;
}

function noteThose<T extends Track>(track: T, seen: Seen): T {
  const { held } = track;
  const noted = { ...track, have: toHave(track.have, toConcerned(track, seen)) };
  if (held === undefined || held.why === 'aborted' || held.connection !== undefined) return noted;
  // Since a restart of the server every connection is another one.
  return { ...noted, held: { ...held, connection: findNode(seen, held.node)?.connection } };
}

function findNode(seen: Seen, wanted: string): Sidecar | undefined {
  return [...seen.values()].flat().find(({ node }) => node === wanted);
}

function toHave(have: ReadonlySet<string>, proxies: readonly Sidecar[]): ReadonlySet<string> {
  const now = proxies.filter(({ node, state }) => have.has(node) || hasAll(state));
  return new Set(now.map(({ node }) => node));
}

/** Those who haven't got the running step. */
export function toLacking(track: Track, proxies: readonly Sidecar[]): readonly Sidecar[] {
  return lackingOf(track, toSeen(proxies));
}

function lackingOf(track: Track, seen: Seen): readonly Sidecar[] {
  const lacks = ({ node, state }: Sidecar): boolean => !track.have.has(node) && !hasAll(state);
  return toConcerned(track, seen).filter(lacks);
}

/** The track after this look; undefined: there is nothing left of it. */
function turn(track: Track, seen: Seen, moment: Moment): Track | undefined {
  const { held } = track;
  if (held !== undefined && isMended(held, track, seen)) return goForth(track, moment);
  const [step] = track.steps;
  if (step === undefined) return track;
  const lacking = lackingOf(track, seen);
  const [first] = lacking;
  if (first !== undefined) {
    if (!track.isOverdue) return track;
    const late = whenLate(step.name);
    if (late === 'stays') return track;
    // Those that are held would lose their way for another's fault.
    const isBack = late === 'back' || lacking.some(({ state }) => state === 'held');
    // Who doesn't take what it had before takes nothing: the others go back without it.
    if (isBack && held === undefined) {
      return goBack(track, toReason(lacking, moment), moment);
    }
  }
  if (lingerMs(step.name) > 0 && toConcerned(track, seen).length > 0 && track.linger !== 'over') {
    return { ...track, linger: 'running' };
  }
  const next = nextStep(track, first === undefined, moment);
  // At rest: whoever was only slow has just shown it.
  return next?.steps.length === 0 ? turn(next, seen, moment) : next;
}

/** Characters that are kept of what a sidecar rejects. */
const MOST_SAID = 500;

/** One that says no says more than one that says nothing. */
function toReason(lacking: readonly Sidecar[], { nowMs }: Moment): Reason {
  const rejecting = lacking.find(({ state }) => state === 'nacked');
  const { node, connection, said } = rejecting ?? (lacking[0] as Sidecar);
  const who = { sinceMs: nowMs, node, connection };
  if (rejecting === undefined) return { ...who, why: 'mute' };
  return { ...who, why: 'rejected', said: toShortText(said?.() ?? '', MOST_SAID) || undefined };
}

/** How often a sidecar that has answered after all is believed. */
const MOST_RETRIES = 3;

/** Whether the sidecar for which a track went back is gone, is another, or was only slow. */
function isMended(held: Reason, { steps, retries }: Track, seen: Seen): boolean {
  if (held.why === 'aborted') return false;
  const proxy = findNode(seen, held.node);
  if (proxy === undefined) return true;
  const { connection, state } = proxy;
  const isKnown = connection !== undefined && held.connection !== undefined;
  if (isKnown && connection !== held.connection) return true;
  return held.why === 'mute' && steps.length === 0 && hasAll(state) && retries < MOST_RETRIES;
}

/** Whoever rejects the newest holds it back, who is mute until the deadline: wherever it is. */
function arrive(arrival: Arrival | undefined, proxies: readonly Sidecar[]): Arrival | undefined {
  if (arrival === undefined) return undefined;
  const have = toHave(arrival.have, proxies);
  const next = { ...arrival, have };
  return toAwaited(next, proxies).length === 0 ? undefined : next;
}

/** Those who hold the arrival back. */
export function toAwaited(
  { have, isOverdue }: Arrival,
  proxies: readonly Sidecar[],
): readonly Sidecar[] {
  return proxies.filter(
    ({ node, state }) =>
      !have.has(node) &&
      (state === 'nacked' || state === 'held' || (state === 'pending' && !isOverdue)),
  );
}

/** Whether the wanted mesh is in force on every sidecar that counts. */
export function isSettled({ wanted, published, tracks, arrival }: Tracks): boolean {
  const isLeft = [...tracks.values()].some(({ kind }) => kind === 'removal');
  // What is left of a service that is gone stands beside the wanted ones.
  const isPublished = published === wanted || isLeft;
  return arrival === undefined && isPublished && [...tracks.values()].every(isAtEnd);
}

/** In the last of its steps everything stands as it is wanted, but for what ends by itself. */
function isAtEnd({ held, steps }: Track): boolean {
  return held === undefined && (steps.length === 1 || steps[0]?.name === 'drain');
}
