// The common name of certificates from CAs that insist on one. The SPIFFE ID in the SAN is a
// workload's only identity, so a common name may repeat it and nothing else: an ID that is too long
// for one (RFC 5280 appendix A.1, ub-common-name) is named by its hash.

import { readChildren, readDer, readOid, TAG } from '../der/der-reader.js';
import { NAME_OID } from '../der/oids.js';
import { sha256Hex } from '../keys/index.js';
import type { CertificateFacts } from './certificate-reader.js';

const MAX_CHARACTERS = 64;
const DIGITS = 32;

/** What stands for `spiffeId` in a common name. */
export function toCommonName(spiffeId: string): string {
  if (spiffeId.length <= MAX_CHARACTERS) return spiffeId;
  return `spiffe sha256 ${sha256Hex(spiffeId).slice(0, DIGITS)}`;
}

/** The common names of a certificate's subject. @throws MeshError certificate-invalid */
export function readCommonNames({ subjectDer }: CertificateFacts): readonly string[] {
  const sets = readChildren(readDer(subjectDer), TAG.sequence);
  return sets.flatMap((set) =>
    readChildren(set).flatMap((pair) => {
      const [type, value] = readChildren(pair, TAG.sequence);
      return readOid(type) === NAME_OID.commonName ? [value?.content.toString('utf8') ?? ''] : [];
    }),
  );
}
