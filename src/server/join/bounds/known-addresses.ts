import { toAddressKey } from './address-key.js';

/** Beyond this many the one that was added first is forgotten. */
const MOST = 20_000;

/** Addresses at which there were sidecars. */
export class KnownAddresses {
  readonly #keys = new Set<string>();

  constructor(addresses: Iterable<string>) {
    for (const address of addresses) this.add(address);
  }

  add(address: string): void {
    const key = toAddressKey(address);
    this.#keys.delete(key);
    this.#keys.add(key);
    const [oldest] = this.#keys;
    if (this.#keys.size > MOST && oldest !== undefined) this.#keys.delete(oldest);
  }

  has(address: string): boolean {
    return this.#keys.has(toAddressKey(address));
  }
}
