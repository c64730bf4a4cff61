// What makes a certificate fit to be a root or an issuing CA of the mesh, for our own and for those
// that somebody brings. Laxer than `validate.ts`, which holds our own output to the letter: a
// corporate root may have a short serial or no SPIFFE ID; but nothing that a verifier would refuse,
// or that would let the CA speak for another trust domain. All problems are reported, each a
// sentence of its own.
// Rules: RFC 5280 sections 4.1.2.5, 4.2.1 and 6.1; X509-SVID sections 3 and 4.
import { toRfc3339 } from '../../base/index.js';
import { toTrustDomainId } from '../../spiffe/index.js';
import { EXTENSION_OID, OTHER_EXTENSION_OID, SIGNATURE_OID, USAGE_OID } from '../der/oids.js';
import type { CertificateFacts } from '../read/index.js';

export interface CaSubject {
  readonly facts: CertificateFacts;
  /** Its issuer's facts; its own where it is a root. */
  readonly issuer: CertificateFacts;
  readonly trustDomain: string;
  /** How many CAs must be able to follow below it. */
  readonly pathLength: number;
  /** Undefined: whether it is in force doesn't matter yet. */
  readonly nowMs: number | undefined;
}

/** Bit numbers of RFC 5280 4.2.1.3. */
const BIT = { keyCertSign: 5, cRLSign: 6 } as const;
const MIN_RSA_BITS = 2048;
const CURVES: readonly string[] = ['prime256v1', 'secp384r1'];
/** RSA with MD2, MD5, SHA-1; ECDSA with SHA-1: verifiers refuse them below a root. */
const WEAK_SIGNATURES: readonly string[] = [
  ...[SIGNATURE_OID.rsaMd2, SIGNATURE_OID.rsaMd5, SIGNATURE_OID.rsaSha1],
  SIGNATURE_OID.ecdsaSha1,
];
/** What the verifiers of this mesh's certificates act on where it is critical. */
const KNOWN: ReadonlySet<string> = new Set([
  ...Object.values(EXTENSION_OID),
  // Ours ask for no policies.
  OTHER_EXTENSION_OID.certificatePolicies,
  OTHER_EXTENSION_OID.policyMappings,
  OTHER_EXTENSION_OID.policyConstraints,
  OTHER_EXTENSION_OID.inhibitAnyPolicy,
]);

const NO_CA = 'expected a CA but got a certificate that is none (basic constraints)';
/** X509-SVID section 4.3 wants it; `openssl req -x509` adds none by itself. */
const NO_KEY_USAGE = 'expected a key usage with keyCertSign but got none at all';

/** What `openssl req -x509` must be given so that it makes a root without these problems. */
export function missingExtensions(problems: readonly string[]): readonly string[] {
  const has = (problem: string): boolean => problems.some((text) => text.endsWith(problem));
  return [
    ...(has(NO_CA) ? ['basicConstraints=critical,CA:TRUE'] : []),
    ...(has(NO_CA) || has(NO_KEY_USAGE) ? ['keyUsage=critical,keyCertSign,cRLSign'] : []),
  ];
}

/** Every reason why the certificate can't serve; none where it can. */
export function caProblems(subject: CaSubject): readonly string[] {
  return [
    ...roleProblems(subject),
    ...periodProblems(subject),
    ...issuerProblems(subject),
    ...identityProblems(subject),
    ...keyProblems(subject.facts),
  ];
}

function* roleProblems({ facts, pathLength }: CaSubject): Iterable<string> {
  if (facts.version !== 3) yield `expected an X.509 version 3 certificate but got ${facts.version}`;
  if (!facts.isCa) {
    yield NO_CA;
    return;
  }
  if (!facts.extensions.has(EXTENSION_OID.keyUsage)) {
    yield NO_KEY_USAGE;
  } else if (!facts.keyUsageBits.has(BIT.keyCertSign)) {
    yield 'expected a CA that may sign certificates but its key usage lacks keyCertSign';
  }
  if (facts.pathLength !== undefined && facts.pathLength < pathLength) {
    yield `expected a path length of at least ${pathLength} but got ${facts.pathLength}`;
  }
  const usages = facts.extendedKeyUsageOids;
  const serves = (oid: string): boolean => usages.includes(oid) || usages.includes(USAGE_OID.any);
  if (usages.length > 0 && !(serves(USAGE_OID.serverAuth) && serves(USAGE_OID.clientAuth))) {
    yield 'expected extended key usages of servers and clients, or none, but got others';
  }
  for (const [oid, { critical }] of facts.extensions) {
    if (oid === OTHER_EXTENSION_OID.nameConstraints)
      yield 'expected a CA without name constraints but got some';
    else if (critical && !KNOWN.has(oid)) {
      yield `expected no critical extension that verifiers may not know but got ${oid}`;
    }
  }
}

function* periodProblems({ facts, nowMs }: CaSubject): Iterable<string> {
  if (nowMs === undefined) return;
  if (facts.notAfterMs <= nowMs) {
    yield `expected one in force but it ended ${toRfc3339(facts.notAfterMs)}`;
  }
  if (facts.notBeforeMs > nowMs) {
    yield `expected one in force but it begins ${toRfc3339(facts.notBeforeMs)}`;
  }
}

function* issuerProblems({ facts, issuer }: CaSubject): Iterable<string> {
  if (!facts.issuerDer.equals(issuer.subjectDer)) {
    yield facts === issuer
      ? 'expected a self-signed root but got a certificate of another issuer'
      : "expected its issuer's name but got another one";
  }
  if (!facts.x509.verify(issuer.x509.publicKey)) {
    yield "expected a signature by its issuer's key but got another one";
  }
  if (!facts.signedAlgorithmDer.equals(facts.signatureAlgorithmDer)) {
    yield 'expected one signature algorithm but got two (RFC 5280 4.1.1.2)';
  }
  if (facts !== issuer && WEAK_SIGNATURES.includes(facts.signatureOid)) {
    yield `expected a signature by SHA-256 or better but got algorithm ${facts.signatureOid}`;
  }
  // A verifier finds an issuer by it (RFC 5280 4.2.1.1); a root may leave it out.
  if (facts.issuerKeyIdHex !== undefined && facts.issuerKeyIdHex !== issuer.keyIdHex) {
    yield `expected authority key identifier ${issuer.keyIdHex} but got ${facts.issuerKeyIdHex}`;
  }
}

/** X509-SVID section 3.2: a signing certificate may have the ID of its trust domain. */
function* identityProblems({ facts, trustDomain }: CaSubject): Iterable<string> {
  const own = toTrustDomainId(trustDomain);
  const others = facts.uris.filter((uri) => uri.startsWith('spiffe:') && uri !== own);
  if (others.length > 0) yield `expected URI names [${own}] but got [${others.join(', ')}]`;
  if (facts.subjectIsEmpty) yield 'expected a subject but got an empty one';
}

function* keyProblems(facts: CertificateFacts): Iterable<string> {
  const { publicKey } = facts.x509;
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey;
  if (type === 'rsa') {
    const bits = details?.modulusLength ?? 0;
    if (bits < MIN_RSA_BITS) yield `expected RSA of at least ${MIN_RSA_BITS} bits but got ${bits}`;
  } else if (type !== 'ec' || !CURVES.includes(details?.namedCurve ?? '')) {
    const got = details?.namedCurve ?? type;
    yield `expected an RSA key or one on P-256 or P-384 but got ${got}`;
  }
  if (facts.keyIdHex === undefined) yield 'expected a subject key identifier but got none';
}
