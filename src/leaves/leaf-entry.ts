// One node that is present: what its leaf is and should be, and the work on it, one piece after the
// other.
import type { Leaf } from '../ca/index.js';
import type { NodeId } from '../spiffe/index.js';
import type { Reach } from './holding.js';
import type { LeafSettings } from './renewal.js';

export class LeafEntry {
  readonly node: NodeId;
  #settings: LeafSettings;
  /** Since when it is looked after by `renewAt` and `jitter` as they are. */
  sinceMs: number;
  leaf: Leaf | undefined;
  trusted = false;
  /** Its root is the one that signs now. */
  current = false;
  /** Serials of the client certificates by which those proved themselves who have the leaf. */
  readonly shown = new Set<string>();
  /** Where they may be; undefined: there is nobody yet. */
  reach: Reach | undefined;
  /** Somebody asked for a new leaf. */
  asked = false;
  /** Until then a failed issue is not repeated. */
  retryAtMs = 0;
  failures = 0;
  /** Why the last attempt gave no leaf; undefined: it gave one. */
  trouble: unknown;
  /** It is renewed no more: its service is about to be gone. */
  rests = false;
  /** It is being renewed by time. */
  renewing = false;
  #work: Promise<void> = Promise.resolve();

  constructor(node: NodeId, settings: LeafSettings, nowMs: number) {
    this.node = node;
    this.#settings = settings;
    this.sinceMs = nowMs;
  }

  get settings(): LeafSettings {
    return this.#settings;
  }

  follow(settings: LeafSettings, nowMs: number): void {
    const { renewAt, jitter } = this.#settings;
    if (settings.renewAt !== renewAt || settings.jitter !== jitter) this.sinceMs = nowMs;
    this.#settings = settings;
    this.rests = false;
  }

  /** Nobody is to wake for it. */
  get isResting(): boolean {
    return this.leaf === undefined || this.renewing || this.rests;
  }

  /** What failed a moment ago is tried again at once. */
  endPause(): void {
    this.failures = 0;
    this.retryAtMs = 0;
  }

  /** Resolves when what was enqueued so far is done. Never rejects. */
  get work(): Promise<void> {
    return this.#work;
  }

  /** Does this when everything before it is done. */
  enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#work.then(work);
    this.#work = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }
}
