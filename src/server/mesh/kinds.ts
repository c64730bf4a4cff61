// What the kinds of tracks have to say for themselves. Each function goes through all kinds and all
// steps: a new one that says nothing here doesn't compile.
import { MINUTE_MS, SECOND_MS } from '../../base/index.js';
import type { Mesh } from '../../policy/index.js';
import { type AccessMarks, marksOfIdentity, nextAccessMarks } from './access-marks.js';
import {
  nextIdentityStep,
  toIdentityId,
  tryIdentityAgain,
  turnIdentityBack,
} from './identity-track.js';
import {
  idToText,
  type Moment,
  nextPortStep,
  toCurrent,
  tryAgain,
  turnBack,
} from './port-track.js';
import { nextRemovalStep, toRemovalId } from './removal-track.js';
import type { Reason, StepName, Track, TrackId } from './track.js';

/** What becomes of a step when its deadline has passed and somebody hasn't got it. */
export type Late =
  /** The track goes back: those who come the new way would fail at that sidecar. */
  | 'back'
  /** They no longer count. */
  | 'on'
  /** They are waited for, and hold back nothing else. */
  | 'stays';

export function whenLate(step: StepName): Late {
  switch (step) {
    case 'widen':
      return 'back';
    case 'move':
      return 'on';
    case 'narrow':
      return 'stays';
    // Meanwhile everybody takes the old identity, or both.
    case 'accept':
    case 'issue':
    case 'connect':
    case 'drop':
      return 'stays';
    // The mesh doesn't declare it, so nobody is to call it.
    case 'leave':
    case 'drain':
    case 'forget':
      return 'on';
  }
}

/** A caller's sidecar that has said that it moved may have requests on their way still. */
const ON_THEIR_WAY_MS = SECOND_MS / 2;
/** As long as Envoy lets connections be that are to end, by itself and as `run.sh` starts it. */
export const DRAIN_MS = 10 * MINUTE_MS;

/** For how long a step stays once everybody has it: for what may still be on its way. */
export function lingerMs(step: StepName): number {
  switch (step) {
    case 'move':
    case 'issue':
    case 'connect':
    case 'leave':
      return ON_THEIR_WAY_MS;
    case 'drain':
      return DRAIN_MS;
    case 'widen':
    case 'narrow':
    case 'accept':
    case 'drop':
    case 'forget':
      return 0;
  }
}

export function toTrackId(track: Track): TrackId {
  switch (track.kind) {
    case 'port':
      return idToText(track);
    case 'identity':
      return toIdentityId(track);
    case 'removal':
      return toRemovalId(track);
  }
}

export function nextStep(track: Track, isOnAll: boolean, moment: Moment): Track | undefined {
  switch (track.kind) {
    case 'port':
      return nextPortStep(track, isOnAll, moment);
    case 'identity':
      return nextIdentityStep(track, moment);
    case 'removal':
      return nextRemovalStep(track, moment);
  }
}

export function goBack(track: Track, reason: Reason, moment: Moment): Track {
  switch (track.kind) {
    case 'port':
      return turnBack(track, reason, moment);
    case 'identity':
      return turnIdentityBack(track, reason, moment);
    // The file says that it is gone.
    case 'removal':
      return track;
  }
}

/** What it was refused is tried again. */
export function goForth(track: Track, moment: Moment): Track {
  switch (track.kind) {
    case 'port':
      return tryAgain(track, moment);
    case 'identity':
      return tryIdentityAgain(track, moment);
    case 'removal':
      return track;
  }
}

/** The marks with those of what a track has just taken away from what it was `before`. */
export function marksOf(
  marks: AccessMarks,
  { before, next, mesh }: { readonly before?: Track; readonly next: Track; readonly mesh: Mesh },
): AccessMarks {
  switch (next.kind) {
    case 'port': {
      const known = before?.kind === 'port' ? before.serving : undefined;
      const olds = known ?? next.serving.slice(0, -1);
      const change = { name: idToText(next), before: olds, next: toCurrent(next) };
      return nextAccessMarks(marks, change, mesh);
    }
    case 'identity': {
      const isDropped = next.steps[0]?.name === 'drop' && next.all.length > 1;
      return isDropped ? marksOfIdentity(marks, next.service, mesh) : marks;
    }
    case 'removal':
      return marks;
  }
}
