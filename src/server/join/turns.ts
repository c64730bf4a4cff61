// Joins one after the other: those of one credential at a rate, those of several in turns, and with
// the event loop in between, so that thousands of joins at once hold up neither health checks nor
// the sidecars that are there. What a join costs (a signature, a leaf, a translation) is done as
// soon as it is decided.
import { type Clock, MeshError, RateLimit } from '../../base/index.js';

/** For each credential: a fleet of its size may come back at once, and a thief waits. */
export const JOIN_RATE = { burst: 200, perSecond: 100 } as const;
/** So many of one credential wait; others are refused, and come back by themselves. */
export const MAX_WAITING_JOINS = 1_000;
/** Decided before others get their turn of the event loop: until so much time or number. */
const TURN_MS = 5;
const TURN_JOINS = 50;
/** Where all that wait do so for their rate. */
const PAUSE_MS = 10;
/** Credentials without anybody waiting that are remembered. */
const MAX_IDLE = 10_000;

interface Lane {
  readonly rate: RateLimit;
  readonly waiting: (() => void)[];
}

export class JoinTurns {
  readonly #clock: Clock;
  /** By credential; whose turn is next first. */
  readonly #busy = new Map<string, Lane>();
  /** The one that was idle longest first. */
  readonly #idle = new Map<string, Lane>();
  #isScheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Does the work when it is this credential's turn. @throws MeshError resource-limit */
  run<T>(credential: string, work: () => Promise<T>): Promise<T> {
    const lane = this.#busy.get(credential) ?? this.#toBusy(credential);
    if (lane.waiting.length >= MAX_WAITING_JOINS) return Promise.reject(tooMany());
    this.#schedule(0);
    return new Promise((resolve) => lane.waiting.push(() => resolve(work())));
  }

  #toBusy(credential: string): Lane {
    const rate = { clock: this.#clock, ...JOIN_RATE };
    const lane = this.#idle.get(credential) ?? { rate: new RateLimit(rate), waiting: [] };
    this.#idle.delete(credential);
    this.#busy.set(credential, lane);
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
    for (const [credential, lane] of this.#busy) {
      if (!lane.rate.tryTake()) continue;
      const work = lane.waiting.shift();
      this.#busy.delete(credential);
      if (lane.waiting.length > 0) this.#busy.set(credential, lane);
      else this.#toIdle(credential, lane);
      return work;
    }
    return undefined;
  }

  #toIdle(credential: string, lane: Lane): void {
    this.#idle.set(credential, lane);
    const [oldest] = this.#idle.keys();
    if (this.#idle.size > MAX_IDLE && oldest !== undefined) this.#idle.delete(oldest);
  }
}

function tooMany(): MeshError {
  const most = `at most ${MAX_WAITING_JOINS} sidecars that join by one credential at once`;
  return new MeshError('resource-limit', `expected ${most}`);
}
