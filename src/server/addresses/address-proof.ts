/**
 * What vouches for a sidecar's address, the weakest first: its own word, the connection that comes
 * from there, its credential.
 */
export const ADDRESS_PROOFS = ['claimed', 'seen', 'bound'] as const;
export type AddressProof = (typeof ADDRESS_PROOFS)[number];
