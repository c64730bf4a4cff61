// Resources that are being made because somebody asked for their name. Until one is there, or it is
// known that there is none, those who asked hear nothing of it; but no longer than a while.
import type { Cancel, Clock } from '../../base/index.js';
import type { ResourceRef } from '../resource.js';
import type { CacheStream } from './stream.js';

export interface LookupsOptions {
  readonly clock: Clock;
  /** How long a stream waits for one. */
  readonly timeoutMs: number;
}

export class Lookups<S extends CacheStream> {
  readonly #options: LookupsOptions;
  readonly #running = new Map<string, Promise<unknown>>();
  /** By stream and name: ends the wait. */
  readonly #waits = new Map<S, Map<string, Cancel>>();

  constructor(options: LookupsOptions) {
    this.#options = options;
  }

  isRunning(wanted: ResourceRef): boolean {
    return this.#running.has(toKey(wanted));
  }

  /** The resource is being made until `work` has settled, however that ends. */
  start(wanted: ResourceRef, work: Promise<unknown>): void {
    const key = toKey(wanted);
    const end = (): void => {
      if (this.#running.get(key) !== work) return;
      this.#running.delete(key);
      for (const waits of [...this.#waits.values()]) waits.get(key)?.();
    };
    this.#running.set(key, work);
    work.then(end, end);
  }

  /** The stream waits for it where it is being made. */
  wait(stream: S, wanted: ResourceRef): void {
    const key = toKey(wanted);
    const waits = this.#waits.get(stream) ?? new Map<string, Cancel>();
    if (!this.#running.has(key) || waits.has(key)) return;
    const answer = stream.defer?.(wanted);
    if (answer === undefined) return;
    const end = (): void => {
      cancel();
      waits.delete(key);
      if (waits.size === 0) this.#waits.delete(stream);
      answer();
    };
    const cancel = this.#options.clock.after(this.#options.timeoutMs, end);
    this.#waits.set(stream, waits.set(key, end));
  }

  disconnect(stream: S): void {
    for (const end of [...(this.#waits.get(stream)?.values() ?? [])]) end();
  }
}

function toKey({ typeUrl, name }: ResourceRef): string {
  return `${typeUrl} ${name}`;
}
