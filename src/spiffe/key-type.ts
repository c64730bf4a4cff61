/** Keys that an identity may have, as mesh.yaml and the command line name them. */
export const KEY_TYPES = ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-3072'] as const;

export type KeyType = (typeof KEY_TYPES)[number];
