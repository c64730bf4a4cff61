// The sidecars that a change of root waits for: those that are connected, and those that are
// expected back. What counts is whether a sidecar may hold a certificate in force: what it last
// took, not what it was sent; and whether it has the newest anchors and leaf, not whether all else
// is as it should be.
import { type Cancel, type Clock, timesOf } from '../base/index.js';
import { type LeafManager, mayBeInForce } from '../leaves/index.js';
import type { NodeId } from '../spiffe/index.js';
import type { CaProxy } from './ca/index.js';
import { type Members, type Roster, SidecarRegistry, type StaticEnvoys } from './fleet/index.js';

export interface CaProxiesOptions {
  readonly clock: Clock;
  readonly members: Pick<Members, 'view'>;
  readonly registry: Pick<SidecarRegistry, 'missing'>;
  /** Those of which a secret is no longer asked for. */
  readonly staticEnvoys: Pick<StaticEnvoys, 'missing'>;
  readonly leaves: Pick<LeafManager, 'isCurrent'> & {
    readonly away: Pick<LeafManager['away'], 'mayHold'>;
  };
  /** Whether a node is shut out: everybody refuses it. */
  readonly isShutOut: (node: NodeId) => boolean;
}

/**
 * @param returning Nodes that were connected when the server stopped, though nobody calls them:
 * drained ones, and callers.
 */
export function toCaProxies(
  { clock, members, registry, staticEnvoys, leaves, isShutOut }: CaProxiesOptions,
  returning: readonly NodeId[],
): readonly CaProxy[] {
  const times = timesOf(clock);
  const connected = members.view().map(({ stream, ownState, hasSecrets, mayHold }): CaProxy => {
    const { node } = stream.auth;
    const hasLeaf = mayHold.some((leaf) => mayBeInForce(leaf, times));
    // Secrets wait for nobody else's word.
    const own = hasSecrets ? 'synced' : ownState;
    return { node, state: own, isCurrent: leaves.isCurrent(node), hasLeaf };
  });
  const here = new Set(connected.map(({ node }) => node));
  const away = [...new Set([...registry.missing(), ...returning])].filter(
    (node) => !here.has(node),
  );
  const missing = away.map((node): CaProxy => {
    const hasLeaf = leaves.away.mayHold(node, times);
    return { node, state: 'pending', isCurrent: leaves.isCurrent(node), hasLeaf };
  });
  // Whatever else one has of its secrets; nobody knows what it took.
  const partly = staticEnvoys.missing().map((node): CaProxy => {
    return { node, state: 'pending', isCurrent: leaves.isCurrent(node), hasLeaf: true };
  });
  return [...connected, ...missing, ...partly].filter(({ node }) => !isShutOut(node as NodeId));
}

/** The nodes that were connected when the server stopped, for as long as they have to come back. */
export class Returning {
  readonly #roster: Pick<Roster, 'gone'>;
  readonly #cancel: Cancel;
  #isOver = false;

  constructor(options: {
    readonly clock: Clock;
    readonly roster: Pick<Roster, 'gone'>;
    /** Nobody is expected any more. */
    readonly onOver: () => void;
  }) {
    const { clock, roster, onOver } = options;
    this.#roster = roster;
    this.#cancel = clock.after(SidecarRegistry.startGraceMs, () => {
      this.#isOver = true;
      onOver();
    });
  }

  get nodes(): readonly NodeId[] {
    if (this.#isOver) return [];
    const gone = this.#roster.gone().filter(({ missedAtStart }) => missedAtStart === true);
    return gone.map(({ node }) => node);
  }

  stop(): void {
    this.#cancel();
  }
}
