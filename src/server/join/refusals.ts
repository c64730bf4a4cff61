// Who was refused, by which rule and how often: for `status` and metrics. Refused sidecars try
// again forever, so equal refusals of one address are one entry. Nothing secret: a MeshError's
// message never repeats a credential.
import { type Clock, type ErrorCode, MeshError } from '../../base/index.js';
import { hintOf } from '../../terminal/index.js';

export interface Refusal {
  /** IP address. */
  readonly peer: string;
  readonly code: ErrorCode;
  readonly reason: string;
  readonly hint: string | undefined;
  readonly count: number;
  /** Of the last one, in ms since the epoch. */
  readonly lastAtMs: number;
}

export interface RefusalView {
  /** The newest first. */
  list(): readonly Refusal[];
  /** Since the server started, by code. */
  counts(): ReadonlyMap<ErrorCode, number>;
}

/** Beyond this many different refusals the oldest is forgotten; it stays counted. */
export const MAX_REFUSALS = 100;

export class Refusals implements RefusalView {
  readonly #clock: Clock;
  /** The newest last. */
  readonly #entries = new Map<string, Refusal>();
  readonly #counts = new Map<ErrorCode, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What isn't a MeshError is a defect of ours, for the log alone. */
  note(peer: string, error: unknown): void {
    if (!(error instanceof MeshError)) return;
    const { code, message: reason } = error;
    const hint = hintOf(error);
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    const key = JSON.stringify([peer, code, reason]);
    const count = (this.#entries.get(key)?.count ?? 0) + 1;
    this.#entries.delete(key);
    this.#entries.set(key, { peer, code, reason, hint, count, lastAtMs: this.#clock.now() });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > MAX_REFUSALS && oldest !== undefined) this.#entries.delete(oldest);
  }

  list(): readonly Refusal[] {
    return [...this.#entries.values()].reverse();
  }

  counts(): ReadonlyMap<ErrorCode, number> {
    return this.#counts;
  }
}
