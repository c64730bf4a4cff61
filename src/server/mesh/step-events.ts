// What happened between two states of a rollout, track by track: for the log and the metrics.
import type { StepName, Track } from './track.js';
import type { Tracks } from './tracks.js';

export type StepEvent =
  /** In force from now on. `isBack`: on the way to what was. */
  | {
      readonly kind: 'entered';
      readonly of: string;
      readonly step: StepName;
      readonly isBack: boolean;
    }
  /** On all sidecars that count. */
  | { readonly kind: 'done'; readonly of: string; readonly step: StepName }
  /** It goes back. */
  | { readonly kind: 'held'; readonly of: string; readonly held: NonNullable<Track['held']> };

type TracksOf = Pick<Tracks, 'tracks'>;

export function toStepEvents(before: TracksOf, now: TracksOf): readonly StepEvent[] {
  if (before.tracks === now.tracks) return [];
  const ids = new Set([...before.tracks.keys(), ...now.tracks.keys()]);
  return [...ids].flatMap((of) => toEvents(of, before.tracks.get(of), now.tracks.get(of)));
}

function toEvents(of: string, old: Track | undefined, next: Track | undefined): StepEvent[] {
  const [from] = old?.steps ?? [];
  const [to] = next?.steps ?? [];
  const isNew = to !== undefined && (from?.name !== to.name || old?.sinceMs !== next?.sinceMs);
  const isTurned = next?.held !== undefined && old?.held === undefined;
  const isRest = from !== undefined && next !== undefined && to === undefined;
  const isEnded = from?.name === 'narrow' && next === undefined;
  const isOn = isNew && old?.steps[1] === to;
  return [
    ...(from !== undefined && (isEnded || isRest || isOn)
      ? [{ kind: 'done', of, step: from.name } as const]
      : []),
    ...(isTurned ? [{ kind: 'held', of, held: next.held } as const] : []),
    ...(isNew
      ? [{ kind: 'entered', of, step: to.name, isBack: next?.held !== undefined } as const]
      : []),
  ];
}
