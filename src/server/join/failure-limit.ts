// How often one address may fail to authenticate. Each failure takes a token of the address's
// bucket; while that is empty, only credentials that were found good before are still looked at,
// and all others are refused unread. So a neighbour behind one NAT address, or on 127.0.0.1, that
// keeps guessing burns no CPU and can't shut out sidecars that are known. IPv6 addresses count by
// /64, of which one host may have all.
import { createHash } from 'node:crypto';
import { type Clock, MeshError, RateLimit } from '../../base/index.js';
import type { Caller } from '../../grpc/index.js';
import { toAddressKey } from './address-key.js';

/** Failures that one address may make at once. */
export const FAILURE_BURST = 30;
/** And each second after that, on average. */
export const FAILURES_PER_SECOND = 1;
/** Addresses that are remembered; beyond it the one that failed longest ago is forgotten. */
const MAX_PEERS = 10_000;
/** Good credentials that are remembered, by hash. */
const MAX_GOOD = 20_000;

export class FailureLimit {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, RateLimit>();
  readonly #good = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws MeshError resource-limit where the caller is refused without being looked at. */
  check(caller: Caller): void {
    const bucket = this.#buckets.get(toAddressKey(caller.address));
    if (bucket === undefined || bucket.hasToken() || this.#good.has(toFingerprint(caller))) return;
    throw new MeshError(
      'resource-limit',
      `expected at most ${FAILURES_PER_SECOND} failed authentication a second from one address`,
      {
        hint: 'something at that address keeps trying a bad credential: see its other refusals',
      },
    );
  }

  /** Whether the credential was good before. */
  isKnown(caller: Caller): boolean {
    return this.#good.has(toFingerprint(caller));
  }

  /** The credential was good. */
  passed(caller: Caller): void {
    remember({ set: this.#good, key: toFingerprint(caller), most: MAX_GOOD });
  }

  /** It wasn't good, or no longer is. */
  failed(caller: Caller): void {
    this.#good.delete(toFingerprint(caller));
    const key = toAddressKey(caller.address);
    const clock = this.#clock;
    const limits = { clock, perSecond: FAILURES_PER_SECOND, burst: FAILURE_BURST };
    const bucket = this.#buckets.get(key) ?? new RateLimit(limits);
    bucket.tryTake();
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > MAX_PEERS && oldest !== undefined) this.#buckets.delete(oldest);
  }
}

interface Remembering {
  readonly set: Set<string>;
  readonly key: string;
  readonly most: number;
}

function remember({ set, key, most }: Remembering): void {
  set.delete(key);
  set.add(key);
  const [oldest] = set;
  if (set.size > most && oldest !== undefined) set.delete(oldest);
}

/** The two parts apart: neither may be taken for a piece of the other. */
function toFingerprint({ authorization = '', certificate = new Uint8Array() }: Caller): string {
  const hash = createHash('sha256').update(`${Buffer.byteLength(authorization)}\n`);
  return hash.update(authorization).update(certificate).digest('base64');
}
