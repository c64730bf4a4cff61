// What an operator does to a rollout: holds it, lets it go on, takes it back, and in manual mode
// says when an edit of the mesh file is to be put in force. Pure, like the rest of the reducer.
import type { Mesh } from '../../policy/index.js';
import type { Planned } from './edit-ports.js';
import { goBack } from './kinds.js';
import type { Reason, Track, TrackId } from './track.js';
import { edit, type Tracks, withPlanned } from './tracks.js';

/** Why a mesh that the file says isn't put in force. */
export type WhyHeld =
  /** By the operator, until `resume`. */
  | 'paused'
  /** The server runs in manual mode: until `apply`. */
  | 'manual'
  /** It was aborted: until the file says something else. */
  | 'aborted';

export interface HeldEdit {
  readonly version: string;
  readonly why: WhyHeld;
}

/** The edit that is held back, if one is. */
export function toHeldEdit(state: Tracks, isManual: boolean): HeldEdit | undefined {
  const { offered } = state;
  const why = offered && toWhyHeld(state, offered, isManual);
  return offered && why && { version: offered.version, why };
}

function toWhyHeld(state: Tracks, wanted: Mesh, isManual: boolean): WhyHeld | undefined {
  // What is wanted already changes nothing that an operator could mean.
  if (wanted.version === state.wanted.version) return undefined;
  if (wanted.version === state.declined) return 'aborted';
  if (state.isPaused === true) return 'paused';
  return isManual ? 'manual' : undefined;
}

/** The file says something else: it is put in force, unless an operator holds that. */
export function offer(
  state: Tracks,
  wanted: Mesh,
  { isManual, nowMs }: { readonly isManual: boolean; readonly nowMs: number },
): Tracks {
  if (toWhyHeld(state, wanted, isManual) !== undefined) return { ...state, offered: wanted };
  return edit(state, wanted, nowMs);
}

/** The edit that is held back, put in force. */
export function apply(state: Tracks, nowMs: number): Tracks {
  return state.offered === undefined ? state : edit(state, state.offered, nowMs);
}

/** No track takes its next step but back, and no edit is taken. */
export function pause(state: Tracks): Tracks {
  if (state.isPaused === true) return state;
  return { ...state, isPaused: true, edition: state.edition + 1 };
}

/** Everything goes on, with all the time that a step has. */
export function resume(state: Tracks, nowMs: number, isManual: boolean): Tracks {
  if (state.isPaused !== true) return state;
  const { isPaused: _, offered, ...rest } = state;
  const again = (track: Track): Track => ({ ...track, sinceMs: nowMs, isOverdue: false });
  const tracks = new Map([...state.tracks].map(([id, track]) => [id, again(track)]));
  const resumed = { ...rest, tracks, edition: state.edition + 1 };
  return offered === undefined ? resumed : offer(resumed, offered, { isManual, nowMs });
}

/** Those tracks go back, and neither they nor the edit that is held back are tried again. */
export function abort(state: Tracks, running: readonly TrackId[], nowMs: number): Tracks {
  const moment = { nowMs, meshes: [state.published] };
  const reason = { sinceMs: nowMs, why: 'aborted' } as const;
  const planned: Planned[] = [];
  const tracks = new Map(state.tracks);
  for (const [id, track] of state.tracks) {
    const { held } = track;
    if (held !== undefined) tracks.set(id, toAborted(track, reason));
    else if (running.includes(id)) {
      planned.push({ id, track: goBack(track, reason, moment), isBegun: true });
    }
  }
  const declined = state.offered?.version ?? state.declined;
  const aborted = { ...state, tracks, ...(declined === undefined ? {} : { declined }) };
  return planned.length === 0
    ? { ...aborted, edition: state.edition + 1 }
    : withPlanned(aborted, { planned, before: state.tracks, nowMs });
}

function toAborted<T extends Track>(track: T, reason: Reason & { readonly why: 'aborted' }): T {
  const { held } = track;
  return held === undefined ? track : { ...track, held: { ...reason, refused: held.refused } };
}
