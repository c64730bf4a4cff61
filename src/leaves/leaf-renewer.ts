// What is done about one node's leaf when somebody looks at it: it is loaded, judged, and replaced
// where `planRenewal` says so. A leaf is stored before anyone sees it. A failed issue changes
// nothing: the leaf in force stays, the failure is reported, and it is tried again with growing
// pauses. So is a leaf that is to be replaced as soon as it is there: an issuer that has not begun
// gives no other.
import { type Clock, MeshError, type Random, SECOND_MS, timesOf } from '../base/index.js';
import type { Authority, Leaf } from '../ca/index.js';
import type { NodeId } from '../spiffe/index.js';
import type { LeafEntry } from './leaf-entry.js';
import type { LeafStore } from './leaf-store.js';
import { isUsable, planRenewal, type RenewalReason, type RenewalState } from './renewal.js';

export interface LeafProblem {
  readonly node: NodeId;
  readonly error: unknown;
  /** When it is tried again; undefined where the problem is dealt with. */
  readonly retryAtMs: number | undefined;
}

/** A new leaf, and why there is one. */
export interface Renewal {
  readonly node: NodeId;
  readonly reason: RenewalReason;
  readonly leaf: Leaf;
}

export interface LeafRenewerOptions {
  readonly authority: Authority;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether a serial is revoked: such a leaf is replaced at once. Default: none is. */
  readonly isRevoked?: (serialHex: string) => boolean;
  /** A leaf could not be issued or stored, or a stored one was damaged. Must not throw. */
  readonly onProblem: (problem: LeafProblem) => void;
  /** A leaf was issued and stored. Must not throw. */
  readonly onIssued?: (renewal: Renewal) => void;
}

const FIRST_RETRY_MS = SECOND_MS;
const LAST_RETRY_MS = 60 * SECOND_MS;

export class LeafRenewer {
  readonly #options: LeafRenewerOptions;
  readonly #store: LeafStore;

  constructor(options: LeafRenewerOptions, store: LeafStore) {
    this.#options = options;
    this.#store = store;
  }

  /** Takes up the stored leaf, where there is one. */
  async load(entry: LeafEntry): Promise<void> {
    try {
      entry.leaf = await this.#store.load(entry.node);
      this.judge(entry);
    } catch (error) {
      if (!(error instanceof MeshError) || error.code !== 'data-damaged') throw error;
      // A leaf can be replaced, unlike a CA: the file is kept for examination and a new one is
      // issued.
      await this.#store.setAside(entry.node);
      this.#options.onProblem({ node: entry.node, error, retryAtMs: undefined });
    }
  }

  /**
   * Issues and stores a leaf if it is time to; whether it did. @param asked Somebody waits for it.
   */
  async renew(entry: LeafEntry, asked: boolean): Promise<boolean> {
    const { authority, onIssued, onProblem } = this.#options;
    const { node } = entry;
    const state = this.#toState(entry);
    const plan = planRenewal(state);
    if (plan.action === 'keep') return false;
    if (this.#isPaused(entry) && (!asked || isUsable(state))) return false;
    try {
      const leaf = await authority.issueLeaf(state.settings);
      // Whoever showed one that is revoked has been shut out, and doesn't get this leaf.
      for (const serial of entry.shown) {
        if (this.#options.isRevoked?.(serial) === true) entry.shown.delete(serial);
      }
      const { shown, reach } = entry;
      await this.#store.save(node, leaf, { nowMs: state.times.earliestMs, shown, reach });
      Object.assign(entry, { leaf, asked: false, trouble: undefined });
      this.judge(entry);
      onIssued?.({ node, reason: plan.reason, leaf });
      this.#endPauses(entry);
      return true;
    } catch (error) {
      entry.trouble = error;
      this.#pause(entry);
      onProblem({ node, error, retryAtMs: entry.retryAtMs });
      if (!asked || isUsable(state)) return false;
      throw error;
    }
  }

  /** Why a node has no leaf that will do; undefined: it has one, or it is being made. */
  troubleOf(entry: LeafEntry): unknown {
    return entry.trouble === undefined || isUsable(this.#toState(entry))
      ? undefined
      : entry.trouble;
  }

  /** Whether the roots, as they are now, vouch for the entry's leaf. */
  judge(entry: LeafEntry): void {
    const { authority } = this.#options;
    const { leaf } = entry;
    // Each reads the chain; a leaf of the root that signs now is vouched for.
    entry.current = leaf !== undefined && authority.isCurrent(leaf.chainPem);
    entry.trusted = entry.current || (leaf !== undefined && authority.vouchesFor(leaf.chainPem));
  }

  hasRevokedLeaf({ leaf }: LeafEntry): boolean {
    return leaf !== undefined && this.#options.isRevoked?.(leaf.serialHex) === true;
  }

  /** The time at which a node next needs work; `nowMs` where that is now. */
  toWakeMs(entry: LeafEntry, nowMs = this.#options.clock.now()): number {
    const plan = planRenewal(this.#toState(entry));
    if (plan.action === 'keep') return plan.renewAtMs;
    return this.#isPaused(entry) ? entry.retryAtMs : nowMs;
  }

  /** A new leaf ends them, unless it is no better than the one before. */
  #endPauses(entry: LeafEntry): void {
    const { onProblem } = this.#options;
    const plan = planRenewal(this.#toState(entry));
    if (plan.action === 'keep') {
      Object.assign(entry, { failures: 0, retryAtMs: 0 });
      return;
    }
    this.#pause(entry);
    const message = `expected a new certificate to do but got one that is ${plan.reason}`;
    const error = new MeshError('certificate-invalid', message);
    onProblem({ node: entry.node, error, retryAtMs: entry.retryAtMs });
  }

  #pause(entry: LeafEntry): void {
    entry.retryAtMs = this.#options.clock.now() + this.#toPauseMs(entry.failures++);
  }

  /** By the time that is left: a clock that was set back must not make a pause of it. */
  #isPaused({ retryAtMs }: LeafEntry): boolean {
    const leftMs = retryAtMs - this.#options.clock.now();
    return leftMs > 0 && leftMs <= LAST_RETRY_MS;
  }

  #toState(entry: LeafEntry): RenewalState {
    const { leaf, settings, sinceMs, trusted, current, asked } = entry;
    const urgent = this.hasRevokedLeaf(entry) ? 'revoked' : asked ? 'asked' : undefined;
    const times = timesOf(this.#options.clock);
    return { leaf, settings, sinceMs, trusted, current, urgent, times };
  }

  #toPauseMs(failures: number): number {
    const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** failures, LAST_RETRY_MS);
    return pauseMs * (0.5 + this.#options.random.fraction() / 2);
  }
}
