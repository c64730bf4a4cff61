// How far each revocation is: it is in force on a sidecar that has taken all that it was sent
// since.
import { toRfc3339 } from '../../base/index.js';
import type { Revocation } from '../../revocation/index.js';
import type { ProxyState } from '../mesh/index.js';
import type { RevocationState } from './revocation-source.js';

export interface RevocationStatus {
  readonly kind: Revocation['kind'];
  readonly subject: string;
  /** RFC 3339. */
  readonly revokedAt: string;
  readonly proxies: {
    readonly inForce: number;
    /** Connected ones, and those that may come back within their grace. */
    readonly of: number;
  };
  /** Serials of certificates that have not ended and are refused for it by the revocation lists. */
  readonly certificates: readonly string[];
}

export interface RevocationStatusInput {
  readonly revocations: RevocationState;
  readonly members: readonly { readonly state: ProxyState }[];
  readonly missing: number;
}

export function toRevocationStatuses(input: RevocationStatusInput): readonly RevocationStatus[] {
  const { revocations, members, missing } = input;
  // A sidecar that lacks only a listener which it can't bind has everything else.
  const inForce = members.filter(({ state }) => state === 'synced' || state === 'unbound').length;
  const proxies = { inForce, of: members.length + missing };
  return [...revocations.list.values()].map((revocation) => ({
    kind: revocation.kind,
    subject: revocation.subject,
    revokedAt: toRfc3339(revocation.revokedAtMs),
    proxies,
    certificates: revocations.crls === undefined ? [] : toSerials(revocation, revocations),
  }));
}

function toSerials(revocation: Revocation, { certificates }: RevocationState): readonly string[] {
  return certificates
    .filter(({ reason }) => reason === revocation)
    .map(({ serialHex }) => serialHex);
}
