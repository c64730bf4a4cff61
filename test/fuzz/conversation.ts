// What a valid sidecar says over one stream, as Envoy does, with some of it broken. All of it
// follows from the random numbers that it is given.
import type { Random } from '../../src/base/index.js';
import { countersign } from '../../src/gen/wire.js';
import { TYPE_URLS, type Variant } from '../../src/xds/index.js';
import { below, mutate } from './mutate.js';

const { wire } = countersign;
const TYPES = [
  TYPE_URLS.cluster,
  TYPE_URLS.endpoint,
  TYPE_URLS.listener,
  TYPE_URLS.route,
  TYPE_URLS.secret,
  TYPE_URLS.extension,
];
const NAMES = ['a', 'b', 'c', '*', 'ledger:8080', 'default', '__proto__', 'ü😀'];
/** Shares of what is said. */
const BROKEN = 0.3;
const REJECTED = 0.2;
const CHANGED = 0.5;
const RESUMED = 0.3;

export interface Said {
  readonly bytes: Buffer;
  /** It is as a valid sidecar would say it. */
  readonly isWhole: boolean;
}

export class Conversation {
  readonly #random: Random;
  readonly #variant: Variant;
  readonly #id: string;
  /** Answers that it owes, the oldest first. */
  readonly #heard: { readonly typeUrl: string; readonly nonce: string }[] = [];
  #isFirst = true;

  constructor(random: Random, { variant, id }: { readonly variant: Variant; readonly id: string }) {
    this.#random = random;
    this.#variant = variant;
    this.#id = id;
  }

  hear(response: { readonly typeUrl: string; readonly nonce: string }): void {
    this.#heard.push(response);
  }

  next(): Said {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    const bytes = this.#valid(isFirst);
    // Past authentication: the first request is whole.
    if (isFirst || !this.#chance(BROKEN)) return { bytes, isWhole: true };
    return { bytes: mutate(this.#random, bytes), isWhole: false };
  }

  #valid(isFirst: boolean): Buffer {
    const owed = isFirst ? undefined : this.#heard.shift();
    const common = {
      ...(isFirst && { node: { id: this.#id, cluster: this.#id.split('~')[0] ?? '' } }),
      typeUrl: isFirst ? TYPE_URLS.cluster : (owed?.typeUrl ?? this.#pick(TYPES)),
      responseNonce: owed?.nonce ?? '',
      ...(owed && this.#chance(REJECTED) && { errorDetail: { code: 3, message: 'a: no' } }),
    };
    const names = this.#chance(CHANGED) ? this.#names() : [];
    if (this.#variant === 'sotw') {
      const request = { ...common, resourceNames: names, versionInfo: '' };
      return Buffer.from(wire.DiscoveryRequest.encode(request).finish());
    }
    const resumed = owed === undefined && this.#chance(RESUMED) ? this.#names() : [];
    const request = {
      ...common,
      resourceNamesSubscribe: names,
      resourceNamesUnsubscribe: this.#chance(RESUMED) ? this.#names() : [],
      initialResourceVersions: Object.fromEntries(resumed.map((name) => [name, 'v'])),
    };
    return Buffer.from(wire.DeltaDiscoveryRequest.encode(request).finish());
  }

  #names(): string[] {
    return Array.from({ length: below(this.#random, 5) }, () => this.#pick(NAMES));
  }

  #pick(list: readonly string[]): string {
    return list[below(this.#random, list.length)] ?? '';
  }

  #chance(share: number): boolean {
    return this.#random.fraction() < share;
  }
}
