// Closed-loop load: each of `concurrency` workers sends, waits for the answer, pauses, and sends
// again, so a slow mesh gets fewer requests instead of a growing queue. It ends at `total`, or when
// it is stopped.
import { type Clock, MeshError, systemClock } from '../base/index.js';
import { delay, withDeadline } from './wait.js';

/** How one worker makes a request. */
export interface Shot {
  /** Makes one request and returns how it was answered (`200`, `echoed`); rejects if it wasn't. */
  fire(): Promise<string>;
  /** Closes its connections. */
  close(): void;
}

export interface LoadOptions {
  /** Makes each worker's shot (httpShot, tcpShot). */
  readonly shot: () => Shot;
  /** Default 2. */
  readonly concurrency?: number;
  /** Requests altogether; default: until `stop`. */
  readonly total?: number;
  /** A worker's pause after each answer; default 2 ms. */
  readonly pauseMs?: number;
  readonly clock?: Clock;
}

export interface LoadResult {
  /** Requests that have ended in any way. */
  readonly requests: number;
  /** How many requests got each answer. */
  readonly answers: Readonly<Record<string, number>>;
  /** Requests without any answer: refused, reset, timed out. */
  readonly failures: number;
  /** The first ten different failures, as text. */
  readonly errors: readonly string[];
  readonly slowestMs: number;
}

export interface Load {
  /** So far. */
  result(): LoadResult;
  /**
   * Waits until `count` more requests have ended; MeshError `timeout` after `timeoutMs` (10 s).
   */
  more(count: number, timeoutMs?: number): Promise<void>;
  /** Starts no more requests, waits for those under way, and closes connections. */
  stop(): Promise<LoadResult>;
  /** Resolves at the end, by `total` or by `stop`; never rejects. */
  readonly done: Promise<LoadResult>;
}

const ERRORS_KEPT = 10;

class Tally {
  started = 0;
  requests = 0;
  failures = 0;
  slowestMs = 0;
  readonly answers = new Map<string, number>();
  readonly errors = new Set<string>();
  waiters: { readonly at: number; readonly resolve: () => void }[] = [];

  end(tookMs: number): void {
    this.requests++;
    this.slowestMs = Math.max(this.slowestMs, tookMs);
    const due = this.waiters.filter(({ at }) => at <= this.requests);
    if (due.length === 0) return;
    this.waiters = this.waiters.filter(({ at }) => at > this.requests);
    for (const { resolve } of due) resolve();
  }

  fail(error: unknown): void {
    this.failures++;
    const text = error instanceof Error ? error.message || error.name : String(error);
    if (this.errors.size < ERRORS_KEPT) this.errors.add(text);
  }

  result(): LoadResult {
    const { requests, failures, slowestMs } = this;
    const answers = Object.fromEntries([...this.answers].sort(([a], [b]) => (a < b ? -1 : 1)));
    return { requests, answers, failures, errors: [...this.errors], slowestMs };
  }
}

/** Starts at once. */
export function startLoad(options: LoadOptions): Load {
  const { concurrency = 2, total = Infinity, pauseMs = 2, clock = systemClock } = options;
  const tally = new Tally();
  let stopping = false;
  const work = async (): Promise<void> => {
    const shot = options.shot();
    while (!stopping && tally.started < total) {
      tally.started++;
      const startedAtMs = clock.now();
      try {
        const answer = await shot.fire();
        tally.answers.set(answer, (tally.answers.get(answer) ?? 0) + 1);
      } catch (error) {
        tally.fail(error);
      }
      tally.end(clock.now() - startedAtMs);
      await delay(pauseMs, clock);
    }
    shot.close();
  };
  const done = Promise.all(Array.from({ length: concurrency }, work)).then(() => tally.result());
  return {
    done,
    result: () => tally.result(),
    more(count, timeoutMs = 10_000) {
      const at = tally.requests + count;
      const reached = new Promise<void>((resolve) => tally.waiters.push({ at, resolve }));
      const ended = done.then(() => {
        if (tally.requests >= at) return;
        throw new MeshError('timeout', `expected ${count} more requests but the load has ended`);
      });
      return withDeadline({ what: `${count} more requests`, timeoutMs, clock }, () =>
        Promise.race([reached, ended]),
      );
    },
    stop() {
      stopping = true;
      return done;
    },
  };
}
