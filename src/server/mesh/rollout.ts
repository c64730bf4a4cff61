// Puts meshes in force phase by phase. One phase is in force at a time; the next begins when every
// connected proxy has acknowledged the one before. A proxy that rejects it stops the rollout there:
// the fleet stays on what it has, and `status` says why. A proxy that is mute past the deadline
// stops counting; it is brought up to date when it answers, since it is always sent the newest.
// A phase is stored before it is entered (rollout-record.ts).
import assert from 'node:assert';
import type { Cancel, Clock } from '../../base/index.js';
import { Watch } from '../../base/index.js';
import type { Mesh } from '../../policy/index.js';
import { type AccessMarks, NO_ACCESS_MARKS, nextAccessMarks } from './access-marks.js';
import { type Phase, planPhases } from './phases.js';
import type { RolloutRecord } from './rollout-record.js';

/** How long a mute proxy can hold a phase back. */
export const PHASE_DEADLINE_MS = 30_000;
/** A phase that can't be stored is tried again this often. */
export const STORE_RETRY_MS = 5_000;

export type ProxyState =
  | 'synced'
  | 'pending'
  /** Rejected something, or can't be given it: holds every rollout back. */
  | 'nacked'
  /**
   * Lacks only listeners whose address it can't bind or hasn't got: that proxy's own trouble, and
   * nobody else's.
   */
  | 'unbound';

export interface RolloutOptions {
  readonly clock: Clock;
  /** The connected proxies and whether what is in force now is in force on them. */
  readonly proxies: () => Iterable<{ readonly node: string; readonly state: ProxyState }>;
  /** Makes the record durable. Without it phases are entered at once. */
  readonly store?: (record: RolloutRecord) => Promise<void>;
  readonly onStoreError?: (error: unknown) => void;
  /** A mesh is wholly in force: everything before it may be forgotten. */
  readonly onSettled: (mesh: Mesh) => void;
}

export class Rollout {
  readonly #options: RolloutOptions;
  #phases: readonly Phase[] = [];
  /** The first of `#phases` is what `inForce` says; false while it is being stored. */
  #isEntered = false;
  /** Of each entry; a later one makes an earlier one's storing irrelevant. */
  #entry = 0;
  #cancelTimer: Cancel | undefined;
  #isOverdue = false;
  /** The last mesh that every proxy took, and what was put in force since. */
  #mayBeInForce: readonly Mesh[];
  /** With the running phase's, which is being stored or in force. */
  #wantedMarks: AccessMarks;
  #marks: AccessMarks;
  /** The mesh in force now; proxies are sent this. */
  readonly inForce: Watch<Mesh>;

  /** @param before What is in force, or where a server that was killed stood. */
  constructor(before: Mesh | RolloutRecord, options: RolloutOptions) {
    const { mayBeInForce, phases, marks } =
      'phases' in before ? before : { mayBeInForce: [before], phases: [], marks: NO_ACCESS_MARKS };
    const initial = mayBeInForce.at(-1);
    assert(initial !== undefined, 'a rollout begins with a mesh');
    this.inForce = new Watch(initial);
    this.#mayBeInForce = mayBeInForce;
    this.#phases = phases;
    this.#wantedMarks = marks;
    this.#marks = marks;
    this.#options = options;
  }

  /**
   * Begins the way to `wanted`, from what is in force now; an earlier way is given up. The one that
   * a killed server was on is resumed where it leads to the same.
   */
  start(wanted: Mesh): void {
    const goal = this.#phases.at(-1)?.mesh;
    if (this.#entry === 0 && goal?.version === wanted.version) {
      // The running phase's own mesh is the last that may be in force; `#enter` adds it.
      this.#mayBeInForce = this.#mayBeInForce.slice(0, -1);
      this.#phases = this.#phases.map((phase) =>
        phase.mesh === goal ? { ...phase, mesh: wanted } : phase,
      );
      // What the running phase ends is among the marks that were stored with it.
      this.#enter();
    } else {
      this.#phases = planPhases(this.#mayBeInForce, wanted);
      this.#markAndEnter();
    }
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
    while (this.#isEntered && this.phase?.waitingFor.length === 0) {
      const [done, ...rest] = this.#phases;
      this.#phases = rest;
      if (done !== undefined) this.#mayBeInForce = [done.mesh];
      if (rest.length > 0) this.#markAndEnter();
      else {
        this.#cancelTimer?.();
        if (done !== undefined) this.#options.onSettled(done.mesh);
      }
    }
  }

  /** What to store when the rollout has settled. */
  get record(): RolloutRecord {
    const marks = this.#wantedMarks;
    return { mayBeInForce: this.#mayBeInForce, phases: this.#phases, marks };
  }

  /** Which open connections the mesh in force has ended: they change with `inForce`. */
  get marks(): AccessMarks {
    return this.#marks;
  }

  stop(): void {
    this.#entry++;
    this.#cancelTimer?.();
    this.#phases = [];
  }

  #markAndEnter(): void {
    const [current] = this.#phases;
    if (current === undefined) return;
    const change = { before: this.#mayBeInForce, next: current.mesh };
    this.#wantedMarks = nextAccessMarks(this.#wantedMarks, change);
    this.#enter();
  }

  #enter(): void {
    const [current] = this.#phases;
    if (current === undefined) return;
    this.#isEntered = false;
    this.#cancelTimer?.();
    this.#mayBeInForce = [...this.#mayBeInForce, current.mesh];
    this.#entry++;
    this.#storeAndPut(current);
  }

  #storeAndPut(current: Phase): void {
    const entry = this.#entry;
    const stored = this.#options.store?.(this.record);
    if (stored === undefined) {
      this.#put(current);
      return;
    }
    stored.then(
      () => {
        if (entry !== this.#entry) return;
        this.#put(current);
        this.advance();
      },
      (error: unknown) => {
        if (entry !== this.#entry) return;
        this.#options.onStoreError?.(error);
        const again = (): void => this.#storeAndPut(current);
        this.#cancelTimer = this.#options.clock.after(STORE_RETRY_MS, again);
      },
    );
  }

  #put(current: Phase): void {
    this.#isEntered = true;
    this.#isOverdue = false;
    this.#marks = this.#wantedMarks;
    this.#cancelTimer = this.#options.clock.after(PHASE_DEADLINE_MS, () => {
      this.#isOverdue = true;
      this.advance();
    });
    this.inForce.set(current.mesh);
  }
}
