// What runs, as operators and commands are shown it.
import type { SourceRef } from '../../base/index.js';
import { lingerMs } from './kinds.js';
import { toAwaited, toLacking } from './look-tracks.js';
import type { Sidecar, StepName } from './track.js';
import type { Tracks } from './tracks.js';

export interface RunningPhase {
  readonly name: string;
  readonly waitingFor: readonly string[];
}

export interface RunningStep {
  readonly of: string;
  readonly step: StepName;
  readonly sinceMs: number;
  readonly waitingFor: readonly string[];
}

/** What is in force as it was, though something else is wanted. */
export interface HeldStep {
  readonly of: string;
  readonly why: 'rejected' | 'mute' | 'aborted';
  readonly sinceMs: number;
  /** The sidecar that didn't take it. */
  readonly node?: string;
  /** Envoy's words. */
  readonly said?: string | undefined;
  /** Of what isn't in force. */
  readonly source: SourceRef;
}

export function toHeldSteps({ tracks }: Pick<Tracks, 'tracks'>): readonly HeldStep[] {
  return [...tracks].flatMap(([of, { held }]): HeldStep[] => {
    if (held === undefined) return [];
    const { why, sinceMs, refused } = held;
    const known = { of, why, sinceMs, source: refused.source };
    return [why === 'aborted' ? known : { ...known, node: held.node, said: held.said }];
  });
}

/** Those that count: a step that is on all but mute sidecars runs no longer. */
export function toRunningSteps(
  { tracks }: Pick<Tracks, 'tracks'>,
  proxies: readonly Sidecar[],
): readonly RunningStep[] {
  return [...tracks].flatMap(([of, track]): RunningStep[] => {
    const [step] = track.steps;
    // What drains holds up nobody and nothing.
    if (step === undefined || step.name === 'drain') return [];
    const lacking = toLacking(track, proxies);
    const isLast = track.steps.length === 1;
    const counting = isLast && track.isOverdue ? lacking.filter(isRejecting) : lacking;
    if (isLast && counting.length === 0) return [];
    const waitingFor = counting.map(({ node }) => node);
    return [{ of, step: step.name, sinceMs: track.sinceMs, waitingFor }];
  });
}

function isRejecting({ state }: Sidecar): boolean {
  return state === 'nacked';
}

/** A service that is not declared any more, and of which sidecars are connected. */
export interface Removal {
  readonly service: string;
  readonly stage: 'leaving' | 'draining';
  /** Undefined: its drain has yet to begin. */
  readonly endsAtMs: number | undefined;
  readonly nodes: readonly string[];
}

export function toRemovals(
  { tracks }: Pick<Tracks, 'tracks'>,
  proxies: readonly Sidecar[],
): readonly Removal[] {
  return [...tracks.values()].flatMap((track): Removal[] => {
    const [step] = track.steps;
    if (track.kind !== 'removal' || step === undefined || step.name === 'forget') return [];
    const { service, sinceMs } = track;
    const nodes = proxies.filter((one) => one.service === service).map(({ node }) => node);
    const isDraining = step.name === 'drain';
    const endsAtMs = isDraining ? sinceMs + lingerMs(step.name) : undefined;
    return [{ service, stage: isDraining ? 'draining' : 'leaving', endsAtMs, nodes }];
  });
}

/** All that runs as one thing; undefined: every sidecar that counts has what is published. */
export function toPhase(state: Tracks, proxies: readonly Sidecar[]): RunningPhase | undefined {
  const running = toRunningSteps(state, proxies);
  const { arrival, wanted } = state;
  const awaited = arrival === undefined ? [] : toAwaited(arrival, proxies);
  if (running.length === 0 && arrival === undefined) return undefined;
  const nodes =
    running.length > 0
      ? running.flatMap(({ waitingFor }) => waitingFor)
      : awaited.map(({ node }) => node);
  const waitingFor = [...new Set(nodes)];
  const texts = [...groupBySteps(running)].map(([step, of]) => toText(step, of));
  return { name: texts.length === 0 ? `mesh ${wanted.version}` : texts.join(', '), waitingFor };
}

function groupBySteps(running: readonly RunningStep[]): ReadonlyMap<StepName, readonly string[]> {
  const groups = new Map<StepName, string[]>();
  for (const { step, of } of running) groups.set(step, [...(groups.get(step) ?? []), of]);
  return groups;
}

/** So many are named. */
const NAMED = 3;

function toText(step: StepName, all: readonly string[]): string {
  const more = all.length > NAMED ? ` and ${all.length - NAMED} more` : '';
  const of = `${all.slice(0, NAMED).join(', ')}${more}`;
  switch (step) {
    case 'widen':
      return `both old and new settings on ${of}`;
    case 'move':
      return `callers of ${of} take the new settings`;
    case 'narrow':
      return `new settings of ${of}`;
    case 'accept':
      return `both old and new identity of ${of} are taken`;
    case 'issue':
      return `certificates of the new identity for ${of}`;
    case 'connect':
      return `new connections of ${of}`;
    case 'drop':
      return `the old identity of ${of} ends`;
    case 'leave':
      return `callers leave ${of}`;
    case 'drain':
      return `${of} is drained`;
    case 'forget':
      return `${of} is gone`;
  }
}
