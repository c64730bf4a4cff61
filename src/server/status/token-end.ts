import type { Credential } from '../join/index.js';

/** When a token that a sidecar joined by is refused: at its own end, or at that of its key. */
export function toTokenEndMs(
  { keyId, expiresAtMs }: Extract<Credential, { kind: 'token' }>,
  keyEndMs: (keyId: string) => number | undefined,
): number {
  return Math.min(expiresAtMs, keyEndMs(keyId) ?? Number.POSITIVE_INFINITY);
}
