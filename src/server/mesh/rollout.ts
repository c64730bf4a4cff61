// Puts meshes in force, by the tracks of all that changes in steps (tracks.ts, look-tracks.ts). All
// tracks that can move at one look move together: one record, which is made durable before anybody
// sees what it says, then one mesh to publish. What comes meanwhile waits for that.
import { type Cancel, type Clock, Listeners, Watch } from '../../base/index.js';
import type { Mesh } from '../../policy/index.js';
import type { AccessMarks } from './access-marks.js';
import { isSettled, look, passed } from './look-tracks.js';
import { type RunningPhase, type RunningStep, toPhase, toRunningSteps } from './rollout-view.js';
import { STORE_RETRY_MS } from './staged.js';
import { StepTimers } from './step-timers.js';
import type { Sidecar } from './track.js';
import { edit, openTracks, type RolloutRecord, settledTracks, type Tracks } from './tracks.js';

export interface RolloutOptions {
  readonly clock: Clock;
  /** The connected sidecars and whether what is in force now is in force on them. */
  readonly proxies: () => Iterable<Sidecar>;
  /** Makes the record durable. Without it steps are entered at once. */
  readonly store?: (record: RolloutRecord) => Promise<void>;
  readonly onStoreError?: (error: unknown) => void;
}

type Change = (state: Tracks) => Tracks;

export class Rollout {
  readonly #options: RolloutOptions;
  readonly #timers: StepTimers;
  /** As it is in force, and durable. */
  #state: Tracks;
  /** What has happened and isn't in force yet, in order. */
  #changes: readonly Change[] = [];
  /** The newest mesh, where it is still among the changes. */
  #edit: Change | undefined;
  /** The sidecars have changed since they were looked at. */
  #isStale = false;
  #isStoring = false;
  #cancelRetry: Cancel | undefined;
  #isStopped = false;
  /** The mesh in force now; sidecars are sent this. */
  readonly inForce: Watch<Mesh>;
  readonly #settled = new Listeners<[mesh: Mesh]>();

  /** @param before What is in force, or where a server that was killed stood. */
  constructor(before: Mesh | RolloutRecord, options: RolloutOptions) {
    this.#state = openTracks('tracks' in before ? before : settledTracks(before));
    this.inForce = new Watch(this.#state.published);
    this.#options = options;
    this.#timers = new StepTimers(options.clock, (due) => {
      this.#change((state) => passed(state, due));
      this.advance();
    });
  }

  /** Begins the way to `wanted`, from what is in force now; an earlier way is given up. */
  start(wanted: Mesh): void {
    const change: Change = (state) => edit(state, wanted, this.#nowMs);
    this.#changes = this.#changes.filter((one) => one !== this.#edit);
    this.#edit = change;
    this.#change(change);
  }

  /** Call whenever a sidecar connected, answered or left. */
  advance(): void {
    this.#isStale = true;
    while (this.#isStale && this.#isFree) this.#turn();
  }

  /** What runs, in one sentence; undefined: nothing. */
  get phase(): RunningPhase | undefined {
    return this.#isStopped ? undefined : toPhase(this.#state, [...this.#options.proxies()]);
  }

  /** The same, thing by thing. */
  get steps(): readonly RunningStep[] {
    return this.#isStopped ? [] : toRunningSteps(this.#state, [...this.#options.proxies()]);
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
    this.#isStopped = true;
    this.#timers.stop();
    this.#cancelRetry?.();
  }

  get #nowMs(): number {
    return this.#options.clock.now();
  }

  get #isFree(): boolean {
    return !this.#isStoring && this.#cancelRetry === undefined && !this.#isStopped;
  }

  #change(change: Change): void {
    this.#changes = [...this.#changes, change];
    if (this.#isFree) this.#turn();
  }

  /** Everything that has happened is one change of what is in force. */
  #turn(): void {
    const before = this.#state;
    const taken = this.#changes;
    const changed = taken.reduce((state, change) => change(state), before);
    // What sidecars have says nothing yet of what isn't published.
    const isPublished = changed.edition === before.edition;
    const next = isPublished && this.#isStale ? this.#look(changed) : changed;
    const isLooked = isPublished && this.#isStale;
    if (isLooked) this.#isStale = false;
    const isSeen = next.edition !== before.edition;
    const stored = isSeen ? this.#options.store?.(toRecord(next)) : undefined;
    if (stored === undefined) this.#enter(next, taken);
    else this.#enterStored(stored, { next, taken });
    // What follows at once, for want of sidecars.
    if (isLooked && isSeen) this.#isStale = true;
  }

  #enterStored(
    stored: Promise<void>,
    { next, taken }: { readonly next: Tracks; readonly taken: readonly Change[] },
  ): void {
    this.#isStoring = true;
    stored.then(
      () => {
        this.#isStoring = false;
        if (this.#isStopped) return;
        this.#enter(next, taken);
        this.advance();
      },
      (error: unknown) => {
        this.#isStoring = false;
        if (this.#isStopped) return;
        this.#retryLater();
        this.#options.onStoreError?.(error);
      },
    );
  }

  /** Somebody may come meanwhile who hasn't got the step before: all is looked at again. */
  #retryLater(): void {
    this.#cancelRetry = this.#options.clock.after(STORE_RETRY_MS, () => {
      this.#cancelRetry = undefined;
      this.advance();
    });
  }

  #look(state: Tracks): Tracks {
    return look(state, [...this.#options.proxies()], this.#nowMs);
  }

  /** The one place that changes what is in force. */
  #enter(next: Tracks, taken: readonly Change[]): void {
    const before = this.#state;
    this.#changes = this.#changes.filter((change) => !taken.includes(change));
    this.#state = next;
    this.#timers.follow(next);
    this.inForce.set(next.published);
    const isChanged = before.arrival !== undefined || next.edition !== before.edition;
    if (isChanged && isSettled(next)) this.#settled.notify(next.wanted);
  }
}

function toRecord({ wanted, tracks, marks }: Tracks): RolloutRecord {
  return { wanted, tracks, marks };
}
