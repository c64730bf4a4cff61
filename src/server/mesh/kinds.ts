// What the kinds of tracks have to say for themselves. Each function goes through all kinds and all
// steps: a new one that says nothing here doesn't compile.
import type { Mesh } from '../../policy/index.js';
import { type AccessMarks, nextAccessMarks } from './access-marks.js';
import {
  idToText,
  type Moment,
  nextPortStep,
  toCurrent,
  tryAgain,
  turnBack,
} from './port-track.js';
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
  }
}

/** Whether requests may be on their way by what a step has just changed. */
export function lingers(step: StepName): boolean {
  switch (step) {
    case 'move':
      return true;
    case 'widen':
    case 'narrow':
      return false;
  }
}

export function toTrackId(track: Track): TrackId {
  switch (track.kind) {
    case 'port':
      return idToText(track);
  }
}

export function nextStep(track: Track, isOnAll: boolean, moment: Moment): Track | undefined {
  switch (track.kind) {
    case 'port':
      return nextPortStep(track, isOnAll, moment);
  }
}

export function goBack(track: Track, reason: Reason, moment: Moment): Track {
  switch (track.kind) {
    case 'port':
      return turnBack(track, reason, moment);
  }
}

/** What it was refused is tried again. */
export function goForth(track: Track, moment: Moment): Track {
  switch (track.kind) {
    case 'port':
      return tryAgain(track, moment);
  }
}

/** The marks with those of what a track has just taken away from what it was `before`. */
export function marksOf(
  marks: AccessMarks,
  { before, next, mesh }: { readonly before?: Track; readonly next: Track; readonly mesh: Mesh },
): AccessMarks {
  switch (next.kind) {
    case 'port': {
      const olds = before?.serving ?? next.serving.slice(0, -1);
      const change = { name: idToText(next), before: olds, next: toCurrent(next) };
      return nextAccessMarks(marks, change, mesh);
    }
  }
}
