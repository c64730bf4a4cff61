// A change that is made in stages. A stage is stored before it is entered, so that a server that is
// killed goes on with it; the next one begins when nobody is waited for any more. After a deadline
// those who are mute stop counting. The rollout of a mesh and the change of root are both such
// changes: what a stage is, whom it waits for and what follows is theirs to say.
import { afterRunning, type Cancel, type Clock, SECOND_MS } from '../../base/index.js';

/** How long a mute sidecar can hold a stage back. */
export const STAGE_DEADLINE_MS = 30 * SECOND_MS;
/** A stage that can't be stored is tried again this often. */
export const STORE_RETRY_MS = 5 * SECOND_MS;

export type StagedState<S> =
  /** No change is under way. */
  | { readonly kind: 'idle' }
  /** The stage is being made durable: nobody has seen it yet. */
  | { readonly kind: 'storing'; readonly stage: S; readonly done: Promise<void> }
  /** It could not be stored, and is tried again after a pause, if `from` is still done then. */
  | { readonly kind: 'paused'; readonly stage: S; readonly cancel: Cancel }
  /** It is entered. `isOverdue`: past its deadline, the mute ones no longer count. */
  | {
      readonly kind: 'waiting';
      readonly stage: S;
      readonly isOverdue: boolean;
      readonly cancel: Cancel;
      /** It was done at some time, and lingers since. */
      readonly lingering?: Lingering;
    }
  /** For good. */
  | { readonly kind: 'stopped' };

interface Lingering {
  readonly isOver: boolean;
  readonly cancel: Cancel;
}

/** The stage that was entered before, and whether it was past its deadline. */
interface From<S> {
  readonly stage: S;
  readonly isOverdue: boolean;
}

export interface StagedOptions<S> {
  readonly clock: Clock;
  /** Makes durable that the stage is entered; undefined: there is nothing to store. */
  readonly store: (stage: S) => Promise<void> | undefined;
  readonly onStoreError: (error: unknown) => void;
  /** The stage is stored: now it may be seen. */
  readonly onEnter: (stage: S) => void;
  /** Whether nobody is waited for. */
  readonly isDone: (stage: S, isOverdue: boolean) => boolean;
  /** How long a stage stays in force when it is done. Default: not at all. */
  readonly lingerMs?: (stage: S) => number;
  /** The stage is done: what follows it, or undefined where the change is complete. */
  readonly next: (done: S) => S | undefined;
}

export class Staged<S> {
  readonly #options: StagedOptions<S>;
  #state: StagedState<S> = { kind: 'idle' };

  constructor(options: StagedOptions<S>) {
    this.#options = options;
  }

  get state(): StagedState<S> {
    return this.#state;
  }

  /** Stores and enters this stage, in place of any other that is under way. */
  begin(stage: S): void {
    if (this.#state.kind === 'stopped') return;
    this.#enter(stage, undefined);
  }

  /** Enters a stage that was stored before. */
  resume(stage: S): void {
    if (this.#state.kind === 'stopped') return;
    this.#wait(stage);
  }

  /** Call whenever something that it waits for may have changed. */
  advance(): void {
    while (this.#state.kind === 'waiting') {
      const { stage, isOverdue } = this.#state;
      if (!this.#options.isDone(stage, isOverdue)) return;
      if (this.#lingers(this.#state)) return;
      const next = this.#options.next(stage);
      if (next === undefined) this.#set({ kind: 'idle' });
      else this.#enter(next, { stage, isOverdue });
    }
  }

  /** Resolves when nothing is being stored. */
  async settled(): Promise<void> {
    while (this.#state.kind === 'storing') await this.#state.done;
  }

  /** No timer is left, and what is still being stored is not entered. */
  stop(): void {
    this.#set({ kind: 'stopped' });
  }

  #lingers(waiting: StagedState<S> & { kind: 'waiting' }): boolean {
    if (waiting.lingering !== undefined) return !waiting.lingering.isOver;
    const { clock, lingerMs } = this.#options;
    const delayMs = lingerMs?.(waiting.stage) ?? 0;
    if (delayMs === 0) return false;
    const cancel = clock.after(delayMs, () => {
      const { state } = this;
      if (state.kind !== 'waiting' || state.lingering?.cancel !== cancel) return;
      this.#set({ ...state, lingering: { isOver: true, cancel } });
      this.advance();
    });
    this.#set({ ...waiting, lingering: { isOver: false, cancel } });
    return true;
  }

  #enter(stage: S, from: From<S> | undefined): void {
    const stored = this.#options.store(stage);
    if (stored === undefined) {
      this.#wait(stage);
      return;
    }
    const done: Promise<void> = stored.then(
      () => {
        if (!this.#isStoring(done)) return;
        this.#wait(stage);
        this.advance();
      },
      (error: unknown) => {
        if (!this.#isStoring(done)) return;
        this.#pause(stage, from);
        this.#options.onStoreError(error);
      },
    );
    this.#set({ kind: 'storing', stage, done });
  }

  /** Whether that is what is still being stored: nothing else was begun meanwhile. */
  #isStoring(done: Promise<void>): boolean {
    return this.#state.kind === 'storing' && this.#state.done === done;
  }

  #pause(stage: S, from: From<S> | undefined): void {
    const cancel = this.#options.clock.after(STORE_RETRY_MS, () => {
      // Somebody may have come meanwhile who hasn't got the stage before.
      const isFree = from === undefined || this.#options.isDone(from.stage, from.isOverdue);
      if (isFree) this.#enter(stage, from);
      else this.#pause(stage, from);
    });
    this.#set({ kind: 'paused', stage, cancel });
  }

  #wait(stage: S): void {
    const callback = (): void => {
      const { state } = this;
      const lingering = state.kind === 'waiting' ? state.lingering : undefined;
      const overdue = { kind: 'waiting', stage, isOverdue: true, cancel: () => undefined } as const;
      this.#set(lingering === undefined ? overdue : { ...overdue, lingering });
      this.advance();
    };
    const { clock } = this.#options;
    const cancel = afterRunning({ clock, delayMs: STAGE_DEADLINE_MS, callback });
    this.#set({ kind: 'waiting', stage, isOverdue: false, cancel });
    this.#options.onEnter(stage);
  }

  /** The one place that changes the state: what the old one alone was waiting for is cancelled. */
  #set(state: StagedState<S>): void {
    const old = this.#state;
    const kept = cancelsOf(state);
    for (const cancel of cancelsOf(old)) if (!kept.includes(cancel)) cancel();
    this.#state = state;
  }
}

function cancelsOf(state: StagedState<unknown>): readonly Cancel[] {
  if (state.kind === 'paused') return [state.cancel];
  if (state.kind !== 'waiting') return [];
  return [state.cancel, ...(state.lingering === undefined ? [] : [state.lingering.cancel])];
}
