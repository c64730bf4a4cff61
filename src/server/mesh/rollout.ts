// Puts meshes in force phase by phase. One phase is in force at a time; the next begins when the
// sidecars that it needs have the one before (phases.ts): others hold nothing back. One that serves
// a changing port and rejects a phase stops the rollout there: `status` says why. Of the rest, who
// is mute or rejects it past the deadline stops counting; it is brought up to date when it answers,
// since it is always sent the newest. A phase is stored before it is entered (staged.ts,
// rollout-record.ts).
import assert from 'node:assert';
import { type Cancel, type Clock, Listeners, SECOND_MS, Watch } from '../../base/index.js';
import type { Mesh, ServiceName } from '../../policy/index.js';
import { type AccessMarks, NO_ACCESS_MARKS, nextAccessMarks } from './access-marks.js';
import { afterPhase, withNext } from './may-be-in-force.js';
import { type Awaited, type Phase, planPhases } from './phases.js';
import type { RolloutRecord } from './rollout-record.js';
import { Staged } from './staged.js';

/** What a sidecar has of what it is to have. */
export type ProxyState =
  | 'synced'
  | 'pending'
  /** Rejected something, or can't be given it: holds every rollout back. */
  | 'nacked'
  /**
   * Lacks only listeners whose address it can't bind or hasn't got: that sidecar's own trouble, and
   * nobody else's.
   */
  | 'unbound';

/** A caller's sidecar that has said that it moved may have requests on their way still. */
const ON_THEIR_WAY_MS = SECOND_MS / 2;

export interface Proxy {
  readonly node: string;
  readonly service: ServiceName;
  readonly state: ProxyState;
}

export interface RolloutOptions {
  readonly clock: Clock;
  /** The connected sidecars and whether what is in force now is in force on them. */
  readonly proxies: () => Iterable<Proxy>;
  /** Makes the record durable. Without it phases are entered at once. */
  readonly store?: (record: RolloutRecord) => Promise<void>;
  readonly onStoreError?: (error: unknown) => void;
}

export class Rollout {
  readonly #options: RolloutOptions;
  readonly #staged: Staged<Phase>;
  /** The one that is entered or being stored, and those after it. */
  #phases: readonly Phase[];
  /** Phases of before a restart are still as they were stored. */
  #isStored: boolean;
  /** The last mesh that every sidecar took, and what was put in force since. */
  #mayBeInForce: readonly Mesh[];
  /** With the running phase's, which is being stored or in force. */
  #wantedMarks: AccessMarks;
  #marks: AccessMarks;
  /** The mesh in force now; sidecars are sent this. */
  readonly inForce: Watch<Mesh>;
  readonly #settled = new Listeners<[mesh: Mesh]>();

  /** @param before What is in force, or where a server that was killed stood. */
  constructor(before: Mesh | RolloutRecord, options: RolloutOptions) {
    const { mayBeInForce, phases, marks } =
      'phases' in before ? before : { mayBeInForce: [before], phases: [], marks: NO_ACCESS_MARKS };
    const initial = mayBeInForce.at(-1);
    assert(initial !== undefined, 'a rollout begins with a mesh');
    this.inForce = new Watch(initial);
    this.#mayBeInForce = mayBeInForce;
    this.#phases = phases;
    this.#isStored = true;
    this.#wantedMarks = marks;
    this.#marks = marks;
    this.#options = options;
    this.#staged = new Staged({
      clock: options.clock,
      store: () => options.store?.(this.record),
      onStoreError: (error) => options.onStoreError?.(error),
      onEnter: (phase) => this.#put(phase),
      isDone: (phase, isOverdue) => this.#waitingFor(phase, isOverdue).length === 0,
      lingerMs: ({ awaits }) => (awaits?.role === 'calling' ? this.#lingerMs(awaits) : 0),
      next: (done) => this.#next(done),
    });
  }

  /**
   * Begins the way to `wanted`, from what is in force now; an earlier way is given up. The one that
   * a killed server was on is resumed where it leads to the same.
   */
  start(wanted: Mesh): void {
    const goal = this.#phases.at(-1)?.mesh;
    if (this.#isStored && goal?.version === wanted.version) {
      // The running phase's own mesh is the last that may be in force; `#toEnter` adds it.
      this.#mayBeInForce = this.#mayBeInForce.slice(0, -1);
      this.#phases = this.#phases.map((phase) =>
        phase.mesh === goal ? { ...phase, mesh: wanted } : phase,
      );
      // What the running phase ends is among the marks that were stored with it.
    } else {
      this.#phases = planPhases(this.#mayBeInForce, wanted);
      this.#mark();
    }
    this.#isStored = false;
    const first = this.#toEnter();
    if (first !== undefined) this.#staged.begin(first);
  }

  /** The running phase, while another comes after it or a sidecar hasn't answered. */
  get phase(): { readonly name: string; readonly waitingFor: readonly string[] } | undefined {
    const [current] = this.#phases;
    const { state } = this.#staged;
    if (current === undefined || state.kind === 'stopped') return undefined;
    const isOverdue = state.kind === 'waiting' && state.isOverdue;
    return { name: current.name, waitingFor: this.#waitingFor(current, isOverdue) };
  }

  /** Call whenever a sidecar connected, answered or left. */
  advance(): void {
    this.#staged.advance();
  }

  /** Calls back when a mesh is wholly in force: everything before it may be forgotten. */
  onSettled(listener: (mesh: Mesh) => void): Cancel {
    return this.#settled.add(listener);
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
    this.#staged.stop();
  }

  #waitingFor({ awaits }: Phase, isOverdue: boolean): readonly string[] {
    const holds = (state: ProxyState): boolean => {
      if (state === 'nacked') return !isOverdue || awaits?.role !== 'calling';
      return state === 'pending' && !isOverdue;
    };
    return [...this.#options.proxies()]
      .filter(({ service }) => awaits === undefined || awaits.services.includes(service))
      .filter(({ state }) => holds(state))
      .map(({ node }) => node);
  }

  #lingerMs({ services }: Awaited): number {
    const calls = [...this.#options.proxies()].some(({ service }) => services.includes(service));
    return calls ? ON_THEIR_WAY_MS : 0;
  }

  #next(done: Phase): Phase | undefined {
    this.#phases = this.#phases.slice(1);
    this.#mayBeInForce = afterPhase(this.#mayBeInForce, done);
    if (this.#phases.length === 0) this.#settled.notify(done.mesh);
    else this.#mark();
    return this.#toEnter();
  }

  /** What the first phase takes away from what may be in force is to be ended with it. */
  #mark(): void {
    const [first] = this.#phases;
    if (first === undefined) return;
    const change = { before: this.#mayBeInForce, next: first.mesh };
    this.#wantedMarks = nextAccessMarks(this.#wantedMarks, change);
  }

  #put({ mesh }: Phase): void {
    this.#marks = this.#wantedMarks;
    this.inForce.set(mesh);
  }

  /** The first phase, of whose mesh it must be known from now on that it may be in force. */
  #toEnter(): Phase | undefined {
    const [first] = this.#phases;
    if (first !== undefined) this.#mayBeInForce = withNext(this.#mayBeInForce, first.mesh);
    return first;
  }
}
