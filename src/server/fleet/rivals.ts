// The sidecars that stand between one and its address.
import { MeshError } from '../../base/index.js';
import type { ServiceName } from '../../policy/index.js';
import type { AddressProof } from '../join/index.js';
import { contest, type Outcome } from './address-contest.js';
import { type Held, type HeldTable, type SidecarKey, toKey } from './held-table.js';

/** A sidecar that claims an address. */
export interface Claiming extends SidecarKey {
  readonly service: ServiceName;
  readonly proof?: AddressProof | undefined;
}

/** So many are remembered of those that had an address and are gone. */
const MAX_EARLIER = 10_000;

export class Rivals {
  readonly #held: HeldTable;
  /** By address, whose grace there was over last. */
  readonly #earlier = new Map<string, string>();

  constructor(held: HeldTable) {
    this.#held = held;
  }

  /** Who keeps it from its address. */
  keeperOf(claiming: Claiming): Held | undefined {
    return this.#whoseOutcome(claiming, 'waits')[0];
  }

  /** Those that go. @throws MeshError address-in-use where somebody keeps the address */
  displacedBy(claiming: Claiming): readonly Held[] {
    const keeper = this.keeperOf(claiming);
    if (keeper !== undefined) throw toConflict(claiming, keeper);
    return this.#whoseOutcome(claiming, 'takes');
  }

  /** Its grace is over: it has its address back as soon as whoever takes it now goes. */
  gone(held: Held): void {
    this.#earlier.delete(held.address);
    this.#earlier.set(held.address, toKey(held));
    const [oldest] = this.#earlier.keys();
    if (this.#earlier.size > MAX_EARLIER && oldest !== undefined) this.#earlier.delete(oldest);
  }

  #whoseOutcome(claiming: Claiming, outcome: Outcome): readonly Held[] {
    const { service, address, proof = 'claimed' } = claiming;
    const key = toKey(claiming);
    const claimant = { service, proof, wasThere: this.#earlier.get(address) === key };
    return this.#held
      .at(address)
      .filter((held) => held.serves && toKey(held) !== key)
      .filter((held) => {
        const holder = { ...held, isConnected: held.streams > 0 };
        return contest(claimant, holder) === outcome;
      });
  }
}

function toConflict({ service, address, proof = 'claimed' }: Claiming, keeper: Held): MeshError {
  const message =
    service === keeper.service
      ? `address ${address} is in use by another sidecar of its service, which proves it`
      : `address ${address} is in use by a sidecar of another service`;
  const code = 'address-in-use';
  if (proof === keeper.proof) return new MeshError(code, message);
  return new MeshError(code, message, { variant: 'proved' });
}
