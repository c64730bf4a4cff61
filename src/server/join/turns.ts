// Joins one after the other: those of one credential at a rate, those of several in turns, and with
// the event loop in between, so that thousands of joins at once hold up neither health checks nor
// the sidecars that are there. What a join costs (a signature, a leaf, a translation) is done as
// soon as it is decided.
import { type Clock, MeshError, RateLimit } from '../../base/index.js';

/** New sidecars by each credential; those that were there before come back at once. */
export const JOIN_RATE = { burst: 50, perSecond: 50 } as const;
/** So many of one credential wait; others are refused, and come back by themselves. */
export const MAX_WAITING_JOINS = 1_000;
/** Decided before others get their turn of the event loop: until so much time or number. */
const TURN_MS = 5;
const TURN_JOINS = 50;
/** Where all that wait do so for their rate. */
const PAUSE_MS = 10;
/** Credentials without anybody waiting that are remembered. */
const MAX_IDLE = 10_000;

export interface Joining {
  /** By what it joins. */
  readonly credential: string;
  /** It says that it is one that was there before. */
  readonly isKnown: boolean;
}

interface Lane {
  /** Undefined: as fast as it can be. */
  readonly rate: RateLimit | undefined;
  readonly waiting: (() => void)[];
}

export class JoinTurns {
  readonly #clock: Clock;
  /** By credential, and apart those that are known by it; whose turn is next first. */
  readonly #busy = new Map<string, Lane>();
  /** The one that was idle longest first. */
  readonly #idle = new Map<string, Lane>();
  #isScheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Does the work when it is this credential's turn. @throws MeshError resource-limit */
  run<T>({ credential, isKnown }: Joining, work: () => Promise<T>): Promise<T> {
    const name = isKnown ? `known ${credential}` : credential;
    const lane = this.#busy.get(name) ?? this.#toBusy(name, isKnown);
    if (lane.waiting.length >= MAX_WAITING_JOINS) return Promise.reject(tooMany());
    this.#schedule(0);
    return new Promise((resolve) => lane.waiting.push(() => resolve(work())));
  }

  #toBusy(name: string, isKnown: boolean): Lane {
    const rate = isKnown ? undefined : new RateLimit({ clock: this.#clock, ...JOIN_RATE });
    const lane = this.#idle.get(name) ?? { rate, waiting: [] };
    this.#idle.delete(name);
    this.#busy.set(name, lane);
    return lane;
  }

  #schedule(delayMs: number): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.after(delayMs, () => {
      this.#isScheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    const beganMs = this.#clock.now();
    let joins = 0;
    while (joins < TURN_JOINS && Math.abs(this.#clock.now() - beganMs) < TURN_MS) {
      const work = this.#next();
      if (work === undefined) break;
      work();
      joins++;
    }
    if (this.#busy.size > 0) this.#schedule(joins === 0 ? PAUSE_MS : 0);
  }

  /** Undefined where nobody waits, or each for its rate. */
  #next(): (() => void) | undefined {
    for (const [name, lane] of this.#busy) {
      if (lane.rate?.tryTake() === false) continue;
      const work = lane.waiting.shift();
      this.#busy.delete(name);
      if (lane.waiting.length > 0) this.#busy.set(name, lane);
      else this.#toIdle(name, lane);
      return work;
    }
    return undefined;
  }

  #toIdle(name: string, lane: Lane): void {
    if (lane.rate === undefined) return;
    this.#idle.set(name, lane);
    const [oldest] = this.#idle.keys();
    if (this.#idle.size > MAX_IDLE && oldest !== undefined) this.#idle.delete(oldest);
  }
}

function tooMany(): MeshError {
  const most = `at most ${MAX_WAITING_JOINS} sidecars that join by one credential at once`;
  return new MeshError('resource-limit', `expected ${most}`);
}
