// Who was refused, by which rule and how often: for `status` and metrics. Refused sidecars try
// again forever, so equal refusals of one party are one entry, and what has not come again for an
// hour, or has joined since, is over. Nothing secret: a MeshError's message never repeats a
// credential.
import { type Clock, type ErrorCode, HOUR_MS, MeshError } from '../../base/index.js';
import { isNodeId } from '../../spiffe/index.js';
import { hintOf } from '../../terminal/index.js';
import { isProved, type Party } from './party.js';
import type { Sidecar } from './sidecar.js';

/** Who was refused, as far as it is known. */
export interface Refused {
  /** IP address. */
  readonly peer: string;
  /** What a signature proves of it. */
  readonly party?: Party;
  /** Its own word for who it is (`node.id`), unproved. */
  readonly claim?: string | undefined;
  /** The address that it wanted to be reached at, where another has that. */
  readonly address?: string;
  /** The sidecar that has that address. */
  readonly holder?: string;
}

export interface Refusal extends Refused {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly hint: string | undefined;
  readonly count: number;
  /** Of the last one, in ms since the epoch. */
  readonly lastAtMs: number;
}

export interface RefusalView {
  /** Those of the last hour, the newest first. */
  list(): readonly Refusal[];
  /** Since the server started, by code. */
  counts(): ReadonlyMap<ErrorCode, number>;
}

/** Beyond this many different refusals the oldest is forgotten; it stays counted. */
export const MAX_REFUSALS = 100;
/** So many names are kept apart that one address gives itself. */
export const MAX_CLAIMS = 10;
/** Envoy tries again within 30 s: who has been silent for this long no longer tries. */
export const FORGET_AFTER_MS = HOUR_MS;

export class Refusals implements RefusalView {
  readonly #clock: Clock;
  /** The newest last. */
  readonly #entries = new Map<string, Refusal>();
  readonly #counts = new Map<ErrorCode, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What isn't a MeshError is a defect of ours, for the log alone. */
  note(who: Refused, error: unknown): void {
    if (!(error instanceof MeshError)) return;
    const { code, message: reason } = error;
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    const refused = this.#withoutTooManyClaims(who);
    const key = toKey(refused, error);
    const count = (this.#entries.get(key)?.count ?? 0) + 1;
    const lastAtMs = this.#clock.now();
    this.#entries.delete(key);
    this.#entries.set(key, { ...refused, code, reason, hint: hintOf(error), count, lastAtMs });
    this.#forgetOne();
  }

  /** That sidecar has joined: what it was refused for before is over. */
  joined(peer: string, sidecar: Pick<Sidecar, 'node' | 'service' | 'address'>): void {
    for (const [key, refusal] of this.#entries) {
      // That too many fail at an address is no word on any of them: it is over with its hour.
      const isOver = refusal.code !== 'resource-limit' && isOf(refusal, peer, sidecar);
      if (isOver) this.#entries.delete(key);
    }
  }

  list(): readonly Refusal[] {
    const nowMs = this.#clock.now();
    // By the distance: a clock that was set back must not keep them for ever.
    const isRecent = ({ lastAtMs }: Refusal): boolean =>
      Math.abs(nowMs - lastAtMs) < FORGET_AFTER_MS;
    return [...this.#entries.values()].filter(isRecent).reverse();
  }

  counts(): ReadonlyMap<ErrorCode, number> {
    return this.#counts;
  }

  /** A stranger can give itself any name: those of one address are bounded. */
  #withoutTooManyClaims(who: Refused): Refused {
    const { claim, party, peer } = who;
    if (claim === undefined || isProved(party)) return who;
    const claims = new Set(
      [...this.#entries.values()].flatMap((one) =>
        one.peer === peer && one.claim !== undefined ? [one.claim] : [],
      ),
    );
    return claims.has(claim) || claims.size < MAX_CLAIMS ? who : { ...who, claim: undefined };
  }

  /** What nothing proves goes first: a stranger must not hide a sidecar of ours. */
  #forgetOne(): void {
    if (this.#entries.size <= MAX_REFUSALS) return;
    const keys = [...this.#entries.keys()];
    const unproved = keys.find((key) => !isProved(this.#entries.get(key)?.party));
    const oldest = unproved ?? keys[0];
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}

/** Whoever has proved itself is one party, wherever it comes from. */
function toKey({ peer, party, claim, address }: Refused, { code, message }: MeshError): string {
  const who = isProved(party) ? [party, claim, address] : [peer, claim];
  return JSON.stringify([code, message, who]);
}

/** Of a host that several sidecars share, what nobody can be named for goes with any of them. */
function isOf(
  { party, claim, peer: from, address: wanted }: Refusal,
  peer: string,
  { node, service, address }: Pick<Sidecar, 'node' | 'service' | 'address'>,
): boolean {
  if (claim !== undefined && isNodeId(claim)) return claim === node;
  const name = party?.service ?? claim;
  const isPlace = from === peer || (wanted ?? from) === address;
  return isPlace && (name === undefined || name === service);
}
