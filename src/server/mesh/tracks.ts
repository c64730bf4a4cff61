// Where a change of the mesh stands: what is wanted, and the tracks of all that doesn't stand that
// way on every sidecar yet (decision 044). Each track goes its own way, at the pace of the sidecars
// that it concerns; what has none is in force as it is wanted. A pure reducer: `rollout.ts` stores
// and publishes what comes of it.
import type { Mesh } from '../../policy/index.js';
import { type AccessMarks, marksWithin, NO_ACCESS_MARKS } from './access-marks.js';
import { editIdentities, toWantedNames, withOldNaming } from './edit-identities.js';
import { editPorts, type Planned } from './edit-ports.js';
import { marksOf } from './kinds.js';
import { toPublished } from './published.js';
import { editRemovals } from './removal-track.js';
import type { Track, TrackId } from './track.js';

/** The newest of what was published, on its way to every sidecar. */
export interface Arrival {
  readonly sinceMs: number;
  readonly have: ReadonlySet<string>;
  readonly isOverdue: boolean;
}

/** What outlives the server. */
export interface RolloutRecord {
  readonly wanted: Mesh;
  /** Empty: the mesh is wholly in force. */
  readonly tracks: ReadonlyMap<TrackId, Track>;
  /** With those of the running steps. */
  readonly marks: AccessMarks;
  /** By an operator: no step but back is taken, and no edit. Absent: it isn't. */
  readonly isPaused?: true | undefined;
  /** The version of an edit that was aborted before it was taken. */
  readonly declined?: string | undefined;
}

export interface Tracks extends RolloutRecord {
  /** What is in force or about to be: `wanted`, with each track's thing as it stands. */
  readonly published: Mesh;
  /** What the file says, where an operator holds that back. */
  readonly offered?: Mesh;
  /** Undefined: every sidecar that counts has it. */
  readonly arrival: Arrival | undefined;
  /** Another number where there is something to store and to publish. */
  readonly edition: number;
}

/** A mesh that is wholly in force. */
export function settledTracks(mesh: Mesh, marks: AccessMarks = NO_ACCESS_MARKS): RolloutRecord {
  return { wanted: mesh, tracks: new Map(), marks };
}

/** As they were stored: nobody has been looked at yet. */
export function openTracks(record: RolloutRecord): Tracks {
  const published = toPublished(record.wanted, record.tracks.values());
  return { ...toRecord(record), published, arrival: undefined, edition: 0 };
}

export function toRecord({
  wanted,
  tracks,
  marks,
  isPaused,
  declined,
}: RolloutRecord): RolloutRecord {
  return {
    ...{ wanted, tracks, marks },
    ...(isPaused === undefined ? {} : { isPaused }),
    ...(declined === undefined ? {} : { declined }),
  };
}

/**
 * Something else is wanted. What the edit doesn't touch goes on as it was; what it does is planned
 * from all that may be in force of it.
 */
export function edit(state: Tracks, wanted: Mesh, nowMs: number): Tracks {
  const { published, tracks } = state;
  const isOther = wanted.version !== state.wanted.version;
  const moment = { nowMs, meshes: [published, wanted] };
  const input = toWantedNames({ published, tracks, wanted, isOther });
  const identities = editIdentities(input, moment);
  const named = withOldNaming(input, identities);
  const planned = [
    ...identities,
    ...editPorts(named, moment),
    ...editRemovals({ ...named, published }, moment),
  ];
  const { offered: _, declined: __, ...rest } = state;
  const before = named.tracks;
  return withPlanned({ ...rest, wanted, tracks: new Map() }, { planned, before, nowMs });
}

/** For tests, which must see what this breaks: all is in force at once, without any step. */
export function jump(state: Tracks, wanted: Mesh, nowMs: number): Tracks {
  const none = { planned: [], before: state.tracks, nowMs };
  return withPlanned({ ...state, wanted, tracks: new Map() }, none);
}

interface Planning {
  readonly planned: readonly Planned[];
  readonly before: ReadonlyMap<TrackId, Track>;
  readonly nowMs: number;
}

/** The state with these tracks, of which some have begun a step. */
export function withPlanned(state: Tracks, { planned, before, nowMs }: Planning): Tracks {
  const { wanted } = state;
  const tracks = new Map(state.tracks);
  let marks = marksWithin(state.marks, wanted);
  for (const { id, track, isBegun } of planned) {
    tracks.set(id, track);
    const old = before.get(id);
    if (isBegun) marks = marksOf(marks, { ...(old && { before: old }), next: track, mesh: wanted });
  }
  return {
    ...{ ...state, tracks, marks, published: toPublished(wanted, tracks.values()) },
    arrival: { sinceMs: nowMs, have: new Set(), isOverdue: false },
    edition: state.edition + 1,
  };
}
