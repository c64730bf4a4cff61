// What changes in steps, as `status` and the metrics show it.
import { toPlace, toRfc3339 } from '../../base/index.js';
import type { Rollout } from '../mesh/index.js';
import type { Family } from './prometheus.js';

type RunningStep = Rollout['steps'][number];
type StepName = RunningStep['step'];
type HeldStep = Rollout['held'][number];
type HeldEdit = NonNullable<Rollout['heldEdit']>;

export interface StepStatus {
  /** `payments/ledger:8080` */
  readonly of: string;
  readonly step: StepName;
  /** RFC 3339: since when it is in force. */
  readonly since: string;
  /** Nodes that haven't got it. */
  readonly waitingFor: readonly string[];
}

export interface HeldStatus {
  readonly of: string;
  readonly why: HeldStep['why'];
  /** RFC 3339. */
  readonly since: string;
  /** The sidecar that didn't take the change; absent: an operator aborted it. */
  readonly node?: string;
  /** What it rejected, in Envoy's words. */
  readonly error?: string;
  /** `file:line:column` of what isn't in force. */
  readonly source: string;
}

export function toStepStatus({ of, step, sinceMs, waitingFor }: RunningStep): StepStatus {
  return { of, step, since: toRfc3339(sinceMs), waitingFor };
}

export function toHeldStatus({ of, why, sinceMs, node, said, source }: HeldStep): HeldStatus {
  return {
    ...{ of, why, since: toRfc3339(sinceMs) },
    ...(node === undefined ? {} : { node }),
    ...(said === undefined ? {} : { error: said }),
    source: toPlace(source),
  };
}

/** Why an edit of the mesh file isn't in force. */
export function toHeldEditText({ version, why }: HeldEdit): string {
  switch (why) {
    case 'paused':
      return `the edit ${version} of the mesh file is held back: the rollout is paused`;
    case 'manual':
      return `the edit ${version} of the mesh file waits to be applied`;
    case 'aborted':
      return `the edit ${version} of the mesh file was aborted`;
  }
}

export interface StepsInput {
  readonly rollout: Pick<Rollout, 'steps' | 'held' | 'isPaused'>;
  /** Since the server started. */
  readonly steps: {
    readonly done: ReadonlyMap<StepName, number>;
    readonly turnedBack: number;
  };
}

const STEPS: Readonly<Record<StepName, true>> = {
  ...{ widen: true, move: true, narrow: true },
  ...{ accept: true, issue: true, connect: true, drop: true },
  ...{ leave: true, drain: true, forget: true },
};
const STEP_NAMES = Object.keys(STEPS) as readonly StepName[];

export function toStepFamilies({ rollout, steps }: StepsInput): readonly Family[] {
  const running = rollout.steps;
  return [
    {
      name: 'steps_running',
      type: 'gauge',
      help: 'Ports and services that are being changed, by the step that is in force.',
      samples: STEP_NAMES.map((step) => ({
        labels: { step },
        value: running.filter((one) => one.step === step).length,
      })),
    },
    {
      name: 'steps_done_total',
      type: 'counter',
      help: 'Steps that all proxies which they concern have taken.',
      samples: STEP_NAMES.map((step) => ({ labels: { step }, value: steps.done.get(step) ?? 0 })),
    },
    {
      name: 'changes_turned_back_total',
      type: 'counter',
      help: 'Changes that went back to what was.',
      samples: [{ value: steps.turnedBack }],
    },
    {
      name: 'changes_held',
      type: 'gauge',
      help: 'Ports that stay as they were, though the mesh wants something else.',
      samples: [{ value: rollout.held.length }],
    },
    {
      name: 'rollout_paused',
      type: 'gauge',
      help: '1 while an operator has paused what changes.',
      samples: [{ value: rollout.isPaused ? 1 : 0 }],
    },
  ];
}
