// Puts meshes in force, by the tracks of all that changes in steps (tracks.ts, look-tracks.ts). All
// tracks that can move at one look move together: one record, which is made durable before anybody
// sees what it says (changes.ts), then one mesh to publish.
import { type Cancel, type Clock, Listeners, Watch } from '../../base/index.js';
import type { Mesh } from '../../policy/index.js';
import type { AccessMarks } from './access-marks.js';
import { type Change, Changes } from './changes.js';
import { isSettled, look, passed } from './look-tracks.js';
import { abort, apply, type HeldEdit, offer, pause, resume, toHeldEdit } from './operator.js';
import {
  type HeldStep,
  type Removal,
  type RunningPhase,
  type RunningStep,
  toHeldSteps,
  toPhase,
  toRemovals,
  toRunningSteps,
} from './rollout-view.js';
import { StepTimers } from './step-timers.js';
import type { Sidecar } from './track.js';
import {
  jump,
  openTracks,
  type RolloutRecord,
  settledTracks,
  type Tracks,
  toRecord,
} from './tracks.js';

export interface RolloutOptions {
  readonly clock: Clock;
  /** The connected sidecars and whether what is in force now is in force on them. */
  readonly proxies: () => Iterable<Sidecar>;
  /** Makes the record durable. Without it steps are entered at once. */
  readonly store?: (record: RolloutRecord) => Promise<void>;
  readonly onStoreError?: (error: unknown) => void;
  /** For tests: every edit is one phase, whatever it breaks. */
  readonly isOnePhase?: boolean;
  /** Edits are put in force when an operator says so. Default: at once. */
  readonly isManual?: boolean;
  /** Something is in force that wasn't, or no longer. */
  readonly onChange?: (before: Tracks, now: Tracks) => void;
}

export class Rollout {
  readonly #options: RolloutOptions;
  readonly #timers: StepTimers;
  readonly #changes: Changes<Tracks>;
  /** The newest mesh of the file, where it is still waited for. */
  #edit: Change<Tracks> | undefined;
  /** The mesh in force now; sidecars are sent this. */
  readonly inForce: Watch<Mesh>;
  readonly #settled = new Listeners<[mesh: Mesh]>();

  /** @param before What is in force, or where a server that was killed stood. */
  constructor(before: Mesh | RolloutRecord, options: RolloutOptions) {
    const initial = openTracks('tracks' in before ? before : settledTracks(before));
    this.inForce = new Watch(initial.published);
    this.#options = options;
    this.#changes = new Changes(initial, {
      clock: options.clock,
      store: (state) => options.store?.(toRecord(state)),
      onStoreError: (error) => options.onStoreError?.(error),
      look: (state) => look(state, this.#proxies, this.#nowMs),
      onEnter: (old, now) => this.#enter(old, now),
    });
    this.#timers = new StepTimers(options.clock, (due) => {
      this.#changes.add((state) => passed(state, due));
      this.advance();
    });
  }

  /** Begins the way to `wanted`, from what is in force now; an earlier way is given up. */
  start(wanted: Mesh): void {
    const change: Change<Tracks> = (state) =>
      this.#options.isOnePhase === true
        ? jump(state, wanted, this.#nowMs)
        : offer(state, wanted, { isManual: this.#isManual, nowMs: this.#nowMs });
    this.#changes.add(change, this.#edit);
    this.#edit = change;
  }

  /** Call whenever a sidecar connected, answered or left. */
  advance(): void {
    this.#changes.look();
  }

  /** Puts the edit in force that is held back. Resolves, as those below, when that is durable. */
  apply(): Promise<void> {
    return this.#changes.order((state) => apply(state, this.#nowMs));
  }

  pause(): Promise<void> {
    return this.#changes.order(pause);
  }

  resume(): Promise<void> {
    return this.#changes.order((state) => resume(state, this.#nowMs, this.#isManual));
  }

  /** What began to run before goes back to what was, and isn't tried again. */
  abort(beforeMs: number): Promise<void> {
    return this.#changes.order((state) => {
      const running = toRunningSteps(state, this.#proxies);
      const meant = running.filter(({ sinceMs }) => sinceMs <= beforeMs).map(({ of }) => of);
      return abort(state, meant, this.#nowMs);
    });
  }

  get isPaused(): boolean {
    return this.#state.isPaused === true;
  }

  /** An edit of the file that an operator holds back. */
  get heldEdit(): HeldEdit | undefined {
    return toHeldEdit(this.#state, this.#isManual);
  }

  /** What went back, or is going there, and why. */
  get held(): readonly HeldStep[] {
    return toHeldSteps(this.#state);
  }

  /** What runs, in one sentence; undefined: nothing. */
  get phase(): RunningPhase | undefined {
    return this.#changes.isStopped ? undefined : toPhase(this.#state, this.#proxies);
  }

  /** The same, thing by thing. */
  get steps(): readonly RunningStep[] {
    return this.#changes.isStopped ? [] : toRunningSteps(this.#state, this.#proxies);
  }

  /** What is left of services that the mesh declares no longer. */
  get removals(): readonly Removal[] {
    return this.#changes.isStopped ? [] : toRemovals(this.#state, this.#proxies);
  }

  /** Calls back when a mesh is wholly in force: everything before it may be forgotten. */
  onSettled(listener: (mesh: Mesh) => void): Cancel {
    return this.#settled.add(listener);
  }

  /** What to store when the rollout has settled. */
  get record(): RolloutRecord {
    return toRecord(this.#state);
  }

  /** Which open connections the mesh in force has ended: they change with `inForce`. */
  get marks(): AccessMarks {
    return this.#state.marks;
  }

  stop(): void {
    this.#changes.stop();
    this.#timers.stop();
  }

  get #state(): Tracks {
    return this.#changes.state;
  }

  get #proxies(): readonly Sidecar[] {
    return [...this.#options.proxies()];
  }

  get #isManual(): boolean {
    return this.#options.isManual ?? false;
  }

  get #nowMs(): number {
    return this.#options.clock.now();
  }

  #enter(before: Tracks, now: Tracks): void {
    this.#timers.follow(now);
    this.inForce.set(now.published);
    this.#options.onChange?.(before, now);
    if (before.arrival !== undefined && isSettled(now)) this.#settled.notify(now.wanted);
  }
}
