// Puts meshes in force phase by phase. One phase is in force at a time; the next begins when every
// connected proxy has acknowledged the one before. A proxy that rejects it stops the rollout there:
// the fleet stays on what it has, and `status` says why. A proxy that is mute past the deadline
// stops counting; it is brought up to date when it answers, since it is always sent the newest.
import type { Cancel, Clock } from '../base/index.js';
import { Watch } from '../base/index.js';
import type { Mesh } from '../policy/index.js';
import { type Phase, planPhases } from './phases.js';

/** How long a mute proxy can hold a phase back. */
export const PHASE_DEADLINE_MS = 30_000;

export type ProxyState =
  | 'synced'
  | 'pending'
  /** Rejected something: holds every rollout back. */
  | 'nacked'
  /**
   * Rejected only listeners whose address it can't bind: that proxy's own trouble, and nobody
   * else's.
   */
  | 'unbound';

export interface RolloutOptions {
  readonly clock: Clock;
  /** The connected proxies and whether what is in force now is in force on them. */
  readonly proxies: () => Iterable<{ readonly node: string; readonly state: ProxyState }>;
  /** A mesh is wholly in force: everything before it may be forgotten. */
  readonly onSettled: (mesh: Mesh) => void;
}

export class Rollout {
  readonly #options: RolloutOptions;
  #phases: readonly Phase[] = [];
  #cancelDeadline: Cancel | undefined;
  #isOverdue = false;
  /** The last mesh that every proxy took, and what was put in force since. */
  #mayBeInForce: readonly Mesh[];
  /** The mesh in force now; proxies are sent this. */
  readonly inForce: Watch<Mesh>;

  constructor(initial: Mesh, options: RolloutOptions) {
    this.inForce = new Watch(initial);
    this.#mayBeInForce = [initial];
    this.#options = options;
  }

  /** Begins the way to `wanted`, from what is in force now; an earlier way is given up. */
  start(wanted: Mesh): void {
    this.#phases = planPhases(this.#mayBeInForce, wanted);
    this.#enter();
  }

  /** The running phase, while another comes after it or a proxy hasn't answered. */
  get phase(): { readonly name: string; readonly waitingFor: readonly string[] } | undefined {
    const [current] = this.#phases;
    if (current === undefined) return undefined;
    const waitingFor = [...this.#options.proxies()]
      .filter(({ state }) => state === 'nacked' || (state === 'pending' && !this.#isOverdue))
      .map(({ node }) => node);
    return { name: current.name, waitingFor };
  }

  /** Call whenever a proxy answered, came or went. */
  advance(): void {
    while (this.phase?.waitingFor.length === 0) {
      const [done, ...rest] = this.#phases;
      this.#phases = rest;
      if (done !== undefined) this.#mayBeInForce = [done.mesh];
      if (rest.length > 0) this.#enter();
      else {
        this.#cancelDeadline?.();
        if (done !== undefined) this.#options.onSettled(done.mesh);
      }
    }
  }

  stop(): void {
    this.#cancelDeadline?.();
    this.#phases = [];
  }

  #enter(): void {
    const [current] = this.#phases;
    if (current === undefined) return;
    this.#isOverdue = false;
    this.#cancelDeadline?.();
    this.#cancelDeadline = this.#options.clock.after(PHASE_DEADLINE_MS, () => {
      this.#isOverdue = true;
      this.advance();
    });
    this.#mayBeInForce = [...this.#mayBeInForce, current.mesh];
    this.inForce.set(current.mesh);
  }
}
