// The sidecars that stand between one and its address.
import { MeshError } from '../../base/index.js';
import type { ServiceName } from '../../policy/index.js';
import type { AddressProof } from '../addresses/index.js';
import { contest, isSeen, type Outcome } from './address-contest.js';
import { type Held, type HeldTable, type SidecarKey, toKey } from './held-table.js';

/** A sidecar that claims an address. */
export interface Claiming extends SidecarKey {
  readonly service: ServiceName;
  readonly proof?: AddressProof | undefined;
}

/** So many are remembered of those that had an address and are gone, and of those that met. */
const MAX_REMEMBERED = 10_000;

export class Rivals {
  readonly #held: HeldTable;
  /** By address, whose grace there was over last. */
  readonly #earlier = new Map<string, string>();
  /** Who claimed an address at which another was connected: both are there, and none has moved. */
  readonly #met = new Map<string, string>();

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
    if (keeper !== undefined) {
      if (keeper.streams > 0) remember(this.#met, toKey(claiming), toKey(keeper));
      throw toConflict(claiming, keeper);
    }
    const displaced = this.#whoseOutcome(claiming, 'takes');
    for (const held of displaced) this.gone(held);
    return displaced;
  }

  /** It is gone: it has its address back as soon as whoever takes it now goes. */
  gone(held: Held): void {
    remember(this.#earlier, held.address, toKey(held));
  }

  /**
   * Whether it has come to an address that the other has left. After a start of the server the
   * other may just be slow to come back: then only for one that is known to have been elsewhere.
   */
  #hasMoved(claiming: Claiming, from: Held): boolean {
    if (!isSeen(claiming.proof) || this.#met.get(toKey(claiming)) === toKey(from)) return false;
    return !from.isStored || this.#isKnownElsewhere(claiming);
  }

  #isKnownElsewhere({ node, address }: Claiming): boolean {
    return [...this.#held].some((held) => held.node === node && held.address !== address);
  }

  #whoseOutcome(claiming: Claiming, outcome: Outcome): readonly Held[] {
    const { service, address, proof = 'claimed' } = claiming;
    const key = toKey(claiming);
    const wasThere = this.#earlier.get(address) === key;
    return this.#held
      .at(address)
      .filter((held) => held.serves && toKey(held) !== key)
      .filter((held) => {
        const claimant = { service, proof, wasThere, hasMoved: this.#hasMoved(claiming, held) };
        const holder = { ...held, isConnected: held.streams > 0 };
        return contest(claimant, holder) === outcome;
      });
  }
}

/** The newest last; the oldest goes where there are too many. */
function remember(map: Map<string, string>, key: string, value: string): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MAX_REMEMBERED && oldest !== undefined) map.delete(oldest);
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
