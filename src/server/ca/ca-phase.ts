// A change of root as an operator is shown it: its stage by name, since when, how far it goes by
// itself, and whom it waits for.
import { toRfc3339 } from '../../base/index.js';
import type { CaProgress } from '../../ca/change/index.js';
import type { ChangeGoal, RootChange } from '../../ca/index.js';
import { COMMANDS } from '../../terminal/index.js';
import { isAtGoal } from './ca-steps.js';

export interface CaPhase {
  readonly name: string;
  /** `trust`: both roots are trusted; `sign`: the new one signs; `back`: the old one does again. */
  readonly stage: 'trust' | 'sign' | 'back';
  /** How far it goes by itself. */
  readonly until: ChangeGoal;
  /** The operator says that the root which goes is bad. */
  readonly isTainted: boolean;
  /** RFC 3339. */
  readonly since: string;
  /** Nodes, or what else it waits for, in words. */
  readonly waitingFor: readonly string[];
  /** The nodes among them; `since`: RFC 3339. */
  readonly nodes: readonly { readonly node: string; readonly since: string }[];
}

export function toPhase(
  change: RootChange,
  { waitingFor, nodes = [] }: Pick<CaProgress, 'waitingFor' | 'nodes'>,
): CaPhase {
  const { stage, until, isBack, isTainted, sinceMs } = change;
  const isWaiting = waitingFor.length > 0;
  return {
    name: toName(change),
    stage: isBack ? 'back' : stage,
    ...{ until, isTainted },
    since: toRfc3339(sinceMs),
    waitingFor: isWaiting || !isAtGoal(change) ? waitingFor : [toOperatorText(stage)],
    nodes: nodes.map((one) => ({ node: one.node, since: toRfc3339(one.sinceMs) })),
  };
}

function toName(change: RootChange): string {
  const { stage, isBack, isTainted } = change;
  if (isBack) return 'back to the old root: it signs, the new one goes';
  if (stage === 'trust') {
    const prepared = 'new root, prepared: every proxy trusts it';
    return isAtGoal(change) ? prepared : 'new root: every proxy trusts it';
  }
  if (isTainted) return 'new root: it signs, the old one is bad and goes';
  return isAtGoal(change)
    ? 'new root: it signs, the old one is kept'
    : 'new root: it signs, the old one goes';
}

function toOperatorText(stage: RootChange['stage']): string {
  const { activateRoot, rotateRoot, abortRotation } = COMMANDS;
  return `the operator: ${stage === 'trust' ? activateRoot : rotateRoot}, or ${abortRotation}`;
}
