// When a change of root may take its next step, and whom it waits for: pure, so that a test can go
// through every order of events (test/server/ca/ca-model.test.ts).
//
// Who counts: a sidecar that is connected, or is expected back, and may hold a certificate in
// force: one that has none has nothing to lose, and is given both anchors and certificate when it
// comes back. A mute one stops holding back the new leaves after a deadline, as in every phase: the
// new leaves come with the new root as signed by the old one, by which it follows. Where there is
// no such certificate it would refuse everybody, so it is waited for. It never lets the root go
// that its own leaf is of, since that would shut it out: there is no hurry, and the operator can
// say `ca rotate --finish`.
import type { RootChange } from '../../ca/index.js';
import type { ProxyState } from '../mesh/index.js';
import type { RootHolder } from './root-holders.js';

export interface CaProxy {
  readonly node: string;
  /** Whether it has the newest anchors and leaf. */
  readonly state: ProxyState;
  /** Its leaf is of the root that signs now; true for one that has none. */
  readonly isCurrent: boolean;
  /** It may hold a leaf that is in force, as far as the time is known. */
  readonly hasLeaf: boolean;
}

type Steps = Pick<RootChange, 'stage' | 'until' | 'isTainted' | 'hasCross'>;

/** Nodes without which the next step would fail calls. */
export function toAwaited(
  { stage, hasCross }: Pick<Steps, 'stage' | 'hasCross'>,
  proxies: Iterable<CaProxy>,
  isOverdue: boolean,
): readonly string[] {
  const isSigning = stage === 'sign';
  return [...proxies]
    .filter(({ state, isCurrent, hasLeaf }) => {
      if (!hasLeaf) return false;
      if (isSigning && !isCurrent) return true;
      if (state === 'pending') return isSigning || !isOverdue || !hasCross;
      return state === 'nacked';
    })
    .map(({ node }) => node);
}

export interface StepInput {
  readonly change: Steps;
  readonly awaited: readonly string[];
  /** What else needs the root that goes; undefined: not looked at yet. */
  readonly holders: readonly RootHolder[] | undefined;
  /** The operator lets that root go, whoever needs it. */
  readonly isFinishAsked: boolean;
}

/** Whether the stage that is running is over. */
export function isStageDone({ change, awaited, holders, isFinishAsked }: StepInput): boolean {
  const { stage, until } = change;
  if (stage === 'sign' && isFinishAsked) return true;
  if (awaited.length > 0) return false;
  if (stage === 'trust') return until !== 'trust';
  return until === 'end' && holders?.length === 0;
}

/** Whether it waits for nothing but the operator's word. */
export function isAtGoal({ stage, until }: Pick<Steps, 'stage' | 'until'>): boolean {
  return stage === until;
}
