// A state that is durable before anybody sees it. What happens is a change, in order; all that has
// happened is stored as one, and seen as one. While that is being stored, what comes waits. What
// can't be stored isn't seen, and is tried again, after another look at the world.
import { type Cancel, type Clock, MeshError } from '../../base/index.js';
import { STORE_RETRY_MS } from './staged.js';

export interface Seen {
  /** Another number where there is something to store. */
  readonly edition: number;
}

export type Change<S> = (state: S) => S;

export interface ChangesOptions<S> {
  readonly clock: Clock;
  /** Undefined: there is nothing to store. */
  readonly store: (state: S) => Promise<void> | undefined;
  readonly onStoreError: (error: unknown) => void;
  /** What the world makes of the state that is seen. */
  readonly look: Change<S>;
  readonly onEnter: (before: S, now: S) => void;
}

export class Changes<S extends Seen> {
  readonly #options: ChangesOptions<S>;
  /** As it is seen, and durable. */
  #state: S;
  #waiting: readonly Change<S>[] = [];
  /** Who waits until a change is seen. */
  readonly #orders = new Map<Change<S>, (error: unknown) => void>();
  /** The world has changed since it was looked at. */
  #isStale = false;
  #isStoring = false;
  #cancelRetry: Cancel | undefined;
  #isStopped = false;

  constructor(initial: S, options: ChangesOptions<S>) {
    this.#state = initial;
    this.#options = options;
  }

  get state(): S {
    return this.#state;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** @param instead One that is not needed any more, if it still waits. */
  add(change: Change<S>, instead?: Change<S>): void {
    this.#waiting = [...this.#waiting.filter((one) => one !== instead), change];
    if (this.#isFree) this.#turn();
  }

  /** Resolves when the change is seen. */
  order(change: Change<S>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#orders.set(change, (error) => (error === undefined ? resolve() : reject(error)));
      this.add(change);
      this.look();
    });
  }

  look(): void {
    this.#isStale = true;
    while (this.#isStale && this.#isFree) this.#turn();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelRetry?.();
    this.#answerAll(new MeshError('server-stopping', 'the server is shutting down'));
  }

  get #isFree(): boolean {
    return !this.#isStoring && this.#cancelRetry === undefined && !this.#isStopped;
  }

  #answerAll(error: unknown): void {
    for (const answer of this.#orders.values()) answer(error);
    this.#orders.clear();
  }

  /** Everything that has happened is one change. */
  #turn(): void {
    const before = this.#state;
    const taken = this.#waiting;
    const changed = taken.reduce((state, change) => change(state), before);
    // The world says nothing yet of what it hasn't seen.
    const looks = this.#isStale && changed.edition === before.edition;
    const next = looks ? this.#options.look(changed) : changed;
    if (looks) this.#isStale = false;
    const isNew = next.edition !== before.edition;
    const stored = isNew ? this.#options.store(next) : undefined;
    if (stored === undefined) this.#enter(next, taken);
    else this.#enterStored(stored, { next, taken });
    // What follows at once, where nobody need be waited for.
    if (looks && isNew) this.#isStale = true;
  }

  #enterStored(
    stored: Promise<void>,
    { next, taken }: { readonly next: S; readonly taken: readonly Change<S>[] },
  ): void {
    this.#isStoring = true;
    stored.then(
      () => {
        this.#isStoring = false;
        if (this.#isStopped) return;
        this.#enter(next, taken);
        this.look();
      },
      (error: unknown) => {
        this.#isStoring = false;
        if (this.#isStopped) return;
        this.#cancelRetry = this.#options.clock.after(STORE_RETRY_MS, () => {
          this.#cancelRetry = undefined;
          this.look();
        });
        this.#answerAll(error);
        this.#options.onStoreError(error);
      },
    );
  }

  /** The one place that changes what is seen. */
  #enter(next: S, taken: readonly Change<S>[]): void {
    const before = this.#state;
    this.#waiting = this.#waiting.filter((change) => !taken.includes(change));
    this.#state = next;
    this.#options.onEnter(before, next);
    for (const change of taken) {
      this.#orders.get(change)?.(undefined);
      this.#orders.delete(change);
    }
  }
}
