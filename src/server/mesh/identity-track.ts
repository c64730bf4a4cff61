// The track of one service's names and identities (decision 046): forth, step by step. Back is
// where it was, while everybody takes both: that is how its first step stands, so that nobody need
// be waited for, and who comes by the new ones already fails nowhere.
import type { ServiceName } from '../../policy/index.js';
import type { IdentityForm, IdentityGoal, IdentityStep } from './identity-change.js';
import type { Moment } from './port-track.js';
import { type IdentityTrack, NO_PROGRESS, type Reason, type TrackId } from './track.js';

/** No port's: those have a colon. */
export function toIdentityId({ service }: { readonly service: ServiceName }): TrackId {
  return service;
}

export function beginIdentity(
  at: { readonly service: ServiceName; readonly goal: IdentityGoal },
  steps: readonly IdentityStep[],
  { nowMs }: Moment,
): IdentityTrack {
  const [first] = steps;
  const base = first?.name === 'accept' ? first.form : {};
  const progress = { ...NO_PROGRESS, sinceMs: nowMs, retries: 0 };
  return { kind: 'identity', ...at, steps, all: steps, base, ...progress };
}

/** How it is published. */
export function toIdentityForm({ steps, base }: IdentityTrack): IdentityForm {
  return steps[0]?.form ?? base;
}

/** Undefined: there is nothing left of it. */
export function nextIdentityStep(
  track: IdentityTrack,
  { nowMs }: Moment,
): IdentityTrack | undefined {
  const steps = track.steps.slice(1);
  return steps.length === 0 ? undefined : { ...track, ...NO_PROGRESS, steps, sinceMs: nowMs };
}

/** Nobody takes the old ones any more where the last step has begun: then it goes on. */
export function turnIdentityBack(
  track: IdentityTrack,
  reason: Reason,
  { nowMs }: Moment,
): IdentityTrack {
  const isGone = track.steps[0]?.name === 'drop' || track.all[0]?.name !== 'accept';
  if (isGone) return track;
  const held = { ...reason, refused: track.goal };
  return { ...track, ...NO_PROGRESS, sinceMs: nowMs, steps: [], held };
}

export function tryIdentityAgain(track: IdentityTrack, { nowMs }: Moment): IdentityTrack {
  const { held: _, ...rest } = track;
  return { ...rest, ...NO_PROGRESS, sinceMs: nowMs, steps: track.all };
}
