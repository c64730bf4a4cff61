// What an X.509-SVID proves that a caller showed as its client certificate. The TLS layer has
// verified its chain and that the caller holds its key; here it is held against what this mesh
// gives its services, by the rules of the SPIFFE standard for a verifier.
// Rules: https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md section 5, RFC 5280 4.2.
import { MeshError, toRfc3339 } from '../../base/index.js';
import { parseSpiffeId, type SpiffeId, splitSpiffeId } from '../../spiffe/index.js';
import { USAGE_OID } from '../der/oids.js';
import { type CertificateFacts, readCertificate } from '../read/index.js';

export interface ClientIdentity {
  readonly spiffeId: SpiffeId;
  readonly dnsNames: readonly string[];
  readonly serialHex: string;
  /** Ms since the epoch. */
  readonly notAfterMs: number;
}

export interface ClientCertificateRules {
  readonly trustDomain: string;
  /** Undefined: whether it is in force doesn't matter. */
  readonly nowMs: number | undefined;
}

const DIGITAL_SIGNATURE = 0;

/**
 * Whose certificate it is.
 * @param der A certificate whose chain the caller's transport has verified.
 * @throws MeshError certificate-refused; the message repeats nothing but times and lengths.
 */
export function verifyClientCertificate(
  der: Uint8Array,
  rules: ClientCertificateRules,
): ClientIdentity {
  const facts = read(der);
  const problem = problemOf(facts, rules);
  if (problem !== undefined) throw refused(problem);
  const [uri = ''] = facts.uris;
  const spiffeId = tryId(uri);
  if (spiffeId === undefined) throw refused('expected a SPIFFE ID but got another URI');
  if (splitSpiffeId(spiffeId).trustDomain !== rules.trustDomain) {
    throw refused('expected an identity of this trust domain but got one of another');
  }
  const { dnsNames, serialHex, notAfterMs } = facts;
  return { spiffeId, dnsNames, serialHex, notAfterMs };
}

function problemOf(facts: CertificateFacts, { nowMs }: ClientCertificateRules): string | undefined {
  if (facts.isCa) return 'expected the certificate of a service but got that of an authority';
  if (facts.uris.length !== 1) return `expected one URI name but got ${facts.uris.length}`;
  if (!facts.extendedKeyUsageOids.includes(USAGE_OID.clientAuth)) {
    return 'expected a certificate for clients (clientAuth) but got one for another use';
  }
  if (!facts.keyUsageBits.has(DIGITAL_SIGNATURE)) {
    return 'expected a certificate whose key may sign but got one whose key may not';
  }
  if (nowMs === undefined) return undefined;
  if (nowMs < facts.notBeforeMs) {
    return `expected a certificate in force but it begins ${toRfc3339(facts.notBeforeMs)}`;
  }
  if (nowMs >= facts.notAfterMs) {
    return `expected a certificate in force but it ended ${toRfc3339(facts.notAfterMs)}`;
  }
  return undefined;
}

function read(der: Uint8Array): CertificateFacts {
  try {
    return readCertificate(Buffer.from(der));
  } catch (cause) {
    throw new MeshError(
      'certificate-refused',
      'expected an X.509 certificate but got other bytes',
      {
        cause,
      },
    );
  }
}

function tryId(uri: string): SpiffeId | undefined {
  try {
    return parseSpiffeId(uri);
  } catch {
    return undefined;
  }
}

function refused(message: string): MeshError {
  return new MeshError('certificate-refused', `the client certificate: ${message}`);
}
