import type { Cancel, Clock } from './clock.js';

export type Waited<T> =
  | { readonly kind: 'answer'; readonly value: T }
  | { readonly kind: 'timeout' }
  /** Nobody wants the answer any more. */
  | { readonly kind: 'aborted' };

export interface WaitUntilOptions<T> {
  /** The answer, once there is one. Must not throw. */
  readonly look: () => T | undefined;
  /** Calls back whenever it is worth looking again. */
  readonly onChange: (listener: () => void) => Cancel;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks now and at every change, until there is an answer, the time is up or the signal says that
 * nobody waits any more. Whatever ends it, no timer and no listener stays behind.
 */
export function waitUntil<T>(options: WaitUntilOptions<T>): Promise<Waited<T>> {
  const { look, onChange, clock, timeoutMs, signal } = options;
  if (signal?.aborted === true) return Promise.resolve({ kind: 'aborted' });
  const first = look();
  if (first !== undefined) return Promise.resolve({ kind: 'answer', value: first });
  return new Promise((resolve) => {
    const abort = (): void => finish({ kind: 'aborted' });
    const finish = (waited: Waited<T>): void => {
      cancelTimer();
      cancelListener();
      signal?.removeEventListener('abort', abort);
      resolve(waited);
    };
    const cancelTimer = clock.after(timeoutMs, () => finish({ kind: 'timeout' }));
    const cancelListener = onChange(() => {
      const value = look();
      if (value !== undefined) finish({ kind: 'answer', value });
    });
    signal?.addEventListener('abort', abort, { once: true });
  });
}
