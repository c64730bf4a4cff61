// What nodes that are away took along: when their certificates are in force. A node that is
// expected back may call others meanwhile, but only as long as it holds one.
import { inParts, type Times } from '../base/index.js';
import type { NodeId } from '../spiffe/index.js';
import type { LeafStore, Period } from './leaf-store.js';
import { mayBeInForce } from './renewal.js';

const READ_AT_ONCE = 64;
/** More are forgotten, the oldest first, and then taken for having one. */
const MAX_KNOWN = 10_000;

export class AwayLeaves {
  readonly #store: Pick<LeafStore, 'periodOf'>;
  /** Undefined: it has none. */
  readonly #periods = new Map<NodeId, Period | undefined>();

  constructor(store: Pick<LeafStore, 'periodOf'>) {
    this.#store = store;
  }

  /** It may hold these; none: nothing is known. */
  note(node: NodeId, leaves: readonly (Period | undefined)[]): void {
    const known = leaves.filter((one) => one !== undefined);
    this.#periods.delete(node);
    if (known.length > 0) this.#put(node, toPeriod(known));
  }

  /** What was stored for nodes that a server expects which has just started. */
  async recall(nodes: readonly NodeId[]): Promise<void> {
    const work = async (node: NodeId): Promise<void> => {
      try {
        this.#put(node, await this.#store.periodOf(node));
      } catch {
        // What can't be read says nothing: it may have one.
      }
    };
    await inParts(nodes, { atOnce: READ_AT_ONCE, work });
  }

  /** Whether it may hold one that is in force; true where nothing is known. */
  mayHold(node: NodeId, times: Times): boolean {
    const period = this.#periods.get(node);
    if (period === undefined) return !this.#periods.has(node);
    return mayBeInForce(period, times);
  }

  #put(node: NodeId, period: Period | undefined): void {
    this.#periods.set(node, period);
    if (this.#periods.size <= MAX_KNOWN) return;
    const [oldest] = this.#periods.keys();
    if (oldest !== undefined) this.#periods.delete(oldest);
  }
}

/** When one of them is in force; there must be some. */
function toPeriod(leaves: readonly Period[]): Period {
  return {
    notBeforeMs: Math.min(...leaves.map((one) => one.notBeforeMs)),
    notAfterMs: Math.max(...leaves.map((one) => one.notAfterMs)),
  };
}
