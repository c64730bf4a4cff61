// Which of two sidecars is called at an address that both say they have. Who proves an address
// better has it. Of equals it is the one that was there first, and its grace is its own: an
// accident elsewhere takes nobody's calls. Only two need not wait for the grace of one that has no
// stream: whom somebody displaced while it was away, and who has moved to an address that the other
// has left, as containers do that are started again and swap theirs.
import type { ServiceName } from '../../policy/index.js';
import { ADDRESS_PROOFS, type AddressProof } from '../addresses/index.js';

interface Claim {
  readonly service: ServiceName;
  readonly proof: AddressProof;
}

export interface Claimant extends Claim {
  /** It had the address before, until its grace was over. */
  readonly wasThere: boolean;
  /** It connects from there, and was never seen there beside one that was connected. */
  readonly hasMoved: boolean;
}

export interface Holder extends Claim {
  readonly isConnected: boolean;
}

/** For the claimant. */
export type Outcome =
  /** Both are at the address: two sidecars of one service. */
  | 'shares'
  /** The holder goes. */
  | 'takes'
  | 'waits';

export function contest(claimant: Claimant, holder: Holder): Outcome {
  const strength = toStrength(claimant.proof) - toStrength(holder.proof);
  if (strength !== 0) return strength > 0 ? 'takes' : 'waits';
  if (claimant.service === holder.service) return 'shares';
  const mayTake = claimant.wasThere || claimant.hasMoved;
  return mayTake && !holder.isConnected ? 'takes' : 'waits';
}

function toStrength(proof: AddressProof): number {
  return ADDRESS_PROOFS.indexOf(proof);
}

/** Whether more than its own word vouches for it. */
export function isSeen(proof: AddressProof = 'claimed'): boolean {
  return toStrength(proof) > toStrength('claimed');
}

/** The better of two. */
export function stronger(one: AddressProof, other: AddressProof): AddressProof {
  return toStrength(one) < toStrength(other) ? other : one;
}
