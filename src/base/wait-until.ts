import type { Cancel, Clock } from './clock.js';

/** How a wait ended. */
export type Waited<T> =
  | { readonly kind: 'answer'; readonly value: T }
  | { readonly kind: 'timeout' }
  /** Whoever waited is gone. */
  | { readonly kind: 'aborted' };

export interface WaitOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Calls back whenever another look may find an answer. */
  readonly subscribe: (listener: () => void) => Cancel;
  readonly signal?: AbortSignal;
}

/**
 * Looks now, and again at each notice, until there is an answer (anything but undefined), the time
 * is up or the signal is aborted, which it may be already. It leaves no timer and no listener
 * behind, whichever way it ends. Rejects with what `look` throws.
 */
export function waitUntil<T>(
  look: () => T | undefined,
  { clock, timeoutMs, subscribe, signal }: WaitOptions,
): Promise<Waited<T>> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      resolve({ kind: 'aborted' });
      return;
    }
    const cancels: Cancel[] = [];
    let isOver = false;
    const cleanUp = (): void => {
      isOver = true;
      for (const cancel of cancels.splice(0)) cancel();
    };
    const finish = (waited: Waited<T>): void => {
      cleanUp();
      resolve(waited);
    };
    const tryLook = (): void => {
      if (isOver) return;
      try {
        const value = look();
        if (value !== undefined) finish({ kind: 'answer', value });
      } catch (error) {
        cleanUp();
        reject(error);
      }
    };
    const abort = (): void => finish({ kind: 'aborted' });
    signal?.addEventListener('abort', abort);
    cancels.push(
      () => signal?.removeEventListener('abort', abort),
      clock.after(timeoutMs, () => finish({ kind: 'timeout' })),
      subscribe(tryLook),
    );
    tryLook();
  });
}
