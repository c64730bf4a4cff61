// How often what proves nothing is looked at. It goes by what was shown, never by the address
// alone: a neighbour behind one NAT, or on 127.0.0.1, that keeps guessing shuts out nobody, a
// moment after a start neither, when nobody is known yet.
// - Our own tokens and certificates that TLS has verified are always looked at: that is cheap.
// - The very same credential that keeps failing is refused unread.
// - Tokens of an outside issuer are dearer. Of one key and address only so many may fail; then only
//   those that were good before are looked at. IPv6 addresses count by /64, of which one host may
//   have all.
import { createHash } from 'node:crypto';
import { type Clock, MeshError, RateLimit } from '../../base/index.js';
import type { Caller } from '../../grpc/index.js';
import { TOKEN_ISSUER } from '../../tokens/index.js';
import { toToken } from './bearer.js';
import { toAddressKey } from './bounds/index.js';
import { toFingerprint } from './fingerprint.js';
import { peekToken } from './peek-token.js';

/** Failures of one credential at once. */
export const FAILURE_BURST = 30;
/** And each second after that, on average. */
export const FAILURES_PER_SECOND = 1;
/** The same of an issuer's key at one address: a tenth of a core at most. */
export const ISSUER_FAILURES = { burst: 1_000, perSecond: 500 } as const;
/** So many of each are remembered; beyond it the one that failed longest ago is forgotten. */
const MAX_REMEMBERED = 10_000;
/** Good credentials that are remembered, by hash. */
const MAX_GOOD = 20_000;

export class FailureLimit {
  readonly #byCredential: Buckets;
  readonly #byIssuer: Buckets;
  readonly #good = new Set<string>();

  constructor(clock: Clock) {
    const perSecond = FAILURES_PER_SECOND;
    this.#byCredential = new Buckets({ clock, perSecond, burst: FAILURE_BURST });
    this.#byIssuer = new Buckets({ clock, ...ISSUER_FAILURES });
  }

  /** @throws MeshError resource-limit where the caller is refused without being looked at. */
  check(caller: Caller): void {
    const fingerprint = toFingerprint(caller);
    if (this.#byCredential.isEmpty(fingerprint)) {
      throw tooOften(`${FAILURES_PER_SECOND} failed authentication a second with one credential`);
    }
    const lane = toLane(caller);
    if (lane === undefined || !this.#byIssuer.isEmpty(lane) || this.#good.has(fingerprint)) return;
    const { perSecond } = ISSUER_FAILURES;
    throw tooOften(`${perSecond} failed tokens a second of one issuer's key from one address`);
  }

  /** The credential was good. */
  passed(caller: Caller): void {
    if (toLane(caller) === undefined) return;
    const fingerprint = toFingerprint(caller);
    this.#good.delete(fingerprint);
    this.#good.add(fingerprint);
    const [oldest] = this.#good;
    if (this.#good.size > MAX_GOOD && oldest !== undefined) this.#good.delete(oldest);
  }

  /** It proved nothing, or no longer does. */
  failed(caller: Caller): void {
    const fingerprint = toFingerprint(caller);
    this.#good.delete(fingerprint);
    // That nothing was shown costs nothing.
    if (caller.authorization === undefined && caller.certificate === undefined) return;
    this.#byCredential.take(fingerprint);
    const lane = toLane(caller);
    if (lane !== undefined) this.#byIssuer.take(lane);
  }
}

interface BucketsOptions {
  readonly clock: Clock;
  readonly perSecond: number;
  readonly burst: number;
}

class Buckets {
  readonly #options: BucketsOptions;
  readonly #buckets = new Map<string, RateLimit>();

  constructor(options: BucketsOptions) {
    this.#options = options;
  }

  isEmpty(key: string): boolean {
    return this.#buckets.get(key)?.hasToken() === false;
  }

  take(key: string): void {
    const bucket = this.#buckets.get(key) ?? new RateLimit(this.#options);
    bucket.tryTake();
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > MAX_REMEMBERED && oldest !== undefined) this.#buckets.delete(oldest);
  }
}

function tooOften(most: string): MeshError {
  return new MeshError('resource-limit', `expected at most ${most}`, {
    hint: 'something keeps trying a bad credential: see the other refusals of its address',
  });
}

/** Whose failures count together; undefined where what was shown is cheap to look at. */
function toLane({ address, authorization }: Caller): string | undefined {
  const peeked = peekToken(toToken(authorization) ?? '');
  if (peeked === undefined || peeked.issuer === TOKEN_ISSUER) return undefined;
  const named = JSON.stringify([toAddressKey(address), peeked.issuer, peeked.keyId]);
  return createHash('sha256').update(named).digest('base64');
}
