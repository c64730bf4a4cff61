import { type Clock, MeshError, systemClock } from '../base/index.js';

export interface DeadlineOptions {
  /** What is waited for, as the end of "expected …" in the error. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly clock?: Clock;
}

/**
 * The result of `run`, or a MeshError `timeout` after `timeoutMs`. `run` gets a signal that aborts
 * at that time, so that it can close sockets; what it does after that is ignored.
 */
export async function withDeadline<T>(
  { what, timeoutMs, clock = systemClock }: DeadlineOptions,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let cancel = (): void => {};
  const expired = new Promise<never>((_resolve, reject) => {
    cancel = clock.after(timeoutMs, () => {
      reject(new MeshError('timeout', `expected ${what} within ${timeoutMs} ms but got none`));
      controller.abort();
    });
  });
  try {
    return await Promise.race([run(controller.signal), expired]);
  } finally {
    cancel();
  }
}

/** Resolves after `delayMs`. */
export function delay(delayMs: number, clock: Clock = systemClock): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}

export interface EventuallyOptions {
  /** What is waited for, as the end of "expected …" in the error. */
  readonly what?: string;
  /** Default 10 s. */
  readonly timeoutMs?: number;
  /** Pause between checks; default 25 ms. */
  readonly intervalMs?: number;
  readonly clock?: Clock;
}

/**
 * Calls `check` until it doesn't throw, reject or return `false`, and returns its result. After
 * `timeoutMs` a MeshError `timeout` has the last failure in its message and as its cause, even if
 * `check` hangs.
 */
export async function eventually<T>(
  check: () => T | false | Promise<T | false>,
  options: EventuallyOptions = {},
): Promise<T> {
  const { what = 'the check to pass', timeoutMs = 10_000, intervalMs = 25 } = options;
  const clock = options.clock ?? systemClock;
  let last: unknown;
  let expired = false;
  const poll = async (): Promise<T> => {
    for (;;) {
      try {
        const value = await check();
        if (value !== false) return value;
        last = undefined;
      } catch (error) {
        last = error;
      }
      if (expired) throw last;
      await delay(intervalMs, clock);
    }
  };
  try {
    return await withDeadline({ what, timeoutMs, clock }, (signal) => {
      signal.addEventListener('abort', () => {
        expired = true;
      });
      return poll();
    });
  } catch (error) {
    if (last === undefined) throw error;
    const text = last instanceof Error ? last.message : String(last);
    throw new MeshError(
      'timeout',
      `expected ${what} within ${timeoutMs} ms but got "${text}" last`,
      { cause: last },
    );
  }
}
