// Who was here: the sidecars that are connected and those that were, so that an operator is shown
// who is gone and since when, over a restart of the server too. It decides nothing: whether a
// sidecar is an endpoint is the registry's to say. What it remembers is bounded in time and number.
import { type Cancel, type Clock, DAY_MS, SECOND_MS } from '../../base/index.js';
import type { JsonStore } from '../../data/index.js';
import type { ServiceName } from '../../policy/index.js';
import type { SeenSidecar, SeenSidecars } from '../../tokens/index.js';
import type { Sidecar } from '../join/index.js';
import { STORE_RETRY_MS } from '../mesh/index.js';
import { type SidecarKey, toKey } from './held-table.js';

type Entry = Omit<SeenSidecar, 'service'> & { readonly service: ServiceName };
type Present = Omit<Entry, 'goneAtMs' | 'missedAtStart'>;

/** A sidecar that was connected. */
export type GoneSidecar = Omit<Entry, 'goneAtMs'> & { readonly goneAtMs: number };

export interface RosterOptions {
  readonly clock: Clock;
  readonly store: JsonStore<SeenSidecars>;
  /** A write failed; what is in memory goes on, and is written again. */
  readonly onStoreError: (error: unknown) => void;
}

/** Longer than a weekend; an autoscaled service leaves many behind. */
export const KEEP_GONE_MS = 7 * DAY_MS;
export const MAX_GONE = 2_000;
/** Many come and go at once: they are stored together. */
const STORE_AFTER_MS = SECOND_MS;

export class Roster {
  readonly #options: RosterOptions;
  /** By node and address, each with its number of streams. */
  readonly #present = new Map<string, { readonly sidecar: Present; streams: number }>();
  /** By node and address, in the order in which they went. */
  readonly #gone = new Map<string, GoneSidecar>();
  #cancelStore: Cancel | undefined;
  #stopped = false;

  constructor(options: RosterOptions) {
    this.#options = options;
  }

  /** Takes up who was here when the server stopped. @throws MeshError data-damaged */
  async restore(): Promise<void> {
    const nowMs = this.#options.clock.now();
    for (const stored of (await this.#options.store.read())?.sidecars ?? []) {
      const one = { ...stored, service: stored.service as ServiceName };
      const { goneAtMs } = one;
      const isKnown = goneAtMs !== undefined;
      const gone = isKnown ? { ...one, goneAtMs } : toMissed(one, nowMs);
      this.#gone.set(toKey(one), gone);
    }
    this.#forget();
  }

  joined({ node, service, address, isStatic, credential }: Sidecar): void {
    for (const [key, other] of this.#gone) {
      if (other.isStatic !== isStatic) continue;
      // It has moved, or has another name now: that is no other sidecar which is missing.
      const isSame = other.address === address && other.service === service;
      if (other.node === node || isSame) this.#gone.delete(key);
    }
    const key = toKey({ node, address, isStatic });
    const kind = isStatic === undefined ? {} : { isStatic };
    const joinedBy = credential.kind === 'token' ? { token: toToken(credential) } : {};
    const streams = (this.#present.get(key)?.streams ?? 0) + 1;
    this.#present.set(key, { sidecar: { node, service, address, ...kind, ...joinedBy }, streams });
    this.#storeSoon();
  }

  left(sidecar: SidecarKey): void {
    const key = toKey(sidecar);
    const present = this.#present.get(key);
    // A server that stops ends every stream: they did not leave.
    if (present === undefined || this.#stopped) return;
    present.streams -= 1;
    if (present.streams > 0) return;
    this.#present.delete(key);
    this.#gone.set(key, { ...present.sidecar, goneAtMs: this.#options.clock.now() });
    this.#forget();
    this.#storeSoon();
  }

  /** Those that were connected and are not, the one that went last first. */
  gone(): readonly GoneSidecar[] {
    this.#forget();
    return [...this.#gone.values()].reverse();
  }

  /** Stores what it knows; from now on nobody leaves. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#cancelStore === undefined) return;
    this.#cancelStore();
    await this.#store();
  }

  #forget(): void {
    const oldestMs = this.#options.clock.now() - KEEP_GONE_MS;
    for (const [key, { goneAtMs }] of this.#gone) {
      if (goneAtMs < oldestMs || this.#gone.size > MAX_GONE) this.#gone.delete(key);
    }
  }

  #storeSoon(delayMs = STORE_AFTER_MS): void {
    if (this.#stopped) return;
    this.#cancelStore ??= this.#options.clock.after(delayMs, () => void this.#store());
  }

  async #store(): Promise<void> {
    this.#cancelStore = undefined;
    const { store, onStoreError } = this.#options;
    const present = [...this.#present.values()].map(({ sidecar }) => sidecar);
    await store
      .write({ sidecars: [...this.#gone.values(), ...present] })
      .catch((error: unknown) => {
        onStoreError(error);
        this.#storeSoon(STORE_RETRY_MS);
      });
  }
}

function toMissed(one: Present, nowMs: number): GoneSidecar {
  return { ...one, goneAtMs: nowMs, missedAtStart: true };
}

function toToken({ id, keyId, expiresAtMs }: Sidecar['credential'] & { kind: 'token' }) {
  return { id, keyId, expiresAtMs };
}
