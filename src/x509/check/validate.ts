// Last step of issuing: what was read back from a signed certificate is held against the rules and
// against what was asked for. Nothing here knows the template or the signer, so a fault there
// cannot excuse itself. The same rules judge what is loaded from the data folder. All problems are
// reported.
// Rules: https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md, RFC 5280 section 4.
import { createPrivateKey } from 'node:crypto';
import { MeshError, toRfc3339 } from '../../base/index.js';
import { isWorkloadId } from '../../spiffe/index.js';
import { EXTENSION_OID, USAGE_OID } from '../der/oids.js';
import { tryDerivePublicKey } from '../keys/index.js';
import {
  type CertificateFacts,
  hasSignatureOf,
  readCommonNames,
  toCommonName,
} from '../read/index.js';

/** What a certificate was asked to be. */
export type Expectation = ExpectedPeriod & (ExpectedLeaf | ExpectedServer | ExpectedAuthority);

/** The period that it must lie within, beside its issuer's. */
interface ExpectedPeriod {
  readonly earliestBeginMs: number;
  readonly latestEndMs: number;
}

/**
 * `workload`: an X.509-SVID, server and client. `outside-workload`: one by a CA that is not ours,
 * which may put the identity's name into the subject and mark RSA keys for encipherment.
 */
export interface ExpectedLeaf {
  readonly kind: 'workload' | 'outside-workload';
  readonly spiffeId: string;
  readonly dnsNames: readonly string[];
}

/** Server only, with no identity but names: the xDS port's. */
interface ExpectedServer {
  readonly kind: 'server';
  readonly dnsNames: readonly string[];
}

/** A root, or an issuing CA. */
export interface ExpectedAuthority {
  readonly kind: 'authority';
  /** The ID of its trust domain; undefined: it speaks for none, as the xDS port's anchor. */
  readonly spiffeId: string | undefined;
  /** How many CAs may follow below it. */
  readonly pathLength: number;
}

export interface Subject {
  readonly facts: CertificateFacts;
  /** Its issuer; its own facts where it is self-signed. */
  readonly issuer: CertificateFacts;
  /** PKCS #8 PEM of the key that it must belong to; undefined: somebody else holds it. */
  readonly privateKeyPem: string | undefined;
  readonly expected: Expectation;
}

/** Bit numbers of RFC 5280 4.2.1.3. */
const BIT = { digitalSignature: 0, keyEncipherment: 2, keyCertSign: 5, cRLSign: 6 } as const;
const MAX_SERIAL_BYTES = 20;
const MIN_SERIAL_BYTES = 8;
const KNOWN_EXTENSIONS: ReadonlySet<string> = new Set(Object.values(EXTENSION_OID));

/** @throws MeshError certificate-invalid, with every rule that is broken. Never has a key in it. */
export function assertCertificate(subject: Subject): void {
  const problems = certificateProblems(subject);
  if (problems.length > 0) throw new MeshError('certificate-invalid', problems.join('; '));
}

/** Every rule that a certificate breaks, in words; none where it is as it was asked for. */
export function certificateProblems(subject: Subject): readonly string[] {
  const { facts, expected } = subject;
  return [
    ...formProblems(facts),
    ...periodProblems(subject),
    ...issuerProblems(subject),
    ...keyProblems(subject),
    ...identityProblems(facts, expected),
    ...(expected.kind === 'authority'
      ? authorityProblems(facts, expected)
      : endEntityProblems(facts, expected.kind)),
  ];
}

/** Extensions that must not be critical: RFC 5280 4.2.1.1 and 4.2.1.2. */
const NEVER_CRITICAL = [EXTENSION_OID.keyId, EXTENSION_OID.issuerKeyId] as const;

/** Version, serial and extensions: RFC 5280 4.1.2.1, 4.1.2.2, 4.2. */
function* formProblems(facts: CertificateFacts): Iterable<string> {
  if (facts.version !== 3) yield `expected version 3 but got ${facts.version}`;
  const { serial } = facts;
  if (((serial[0] ?? 0) & 0x80) !== 0 || serial.every((byte) => byte === 0)) {
    yield 'expected a positive serial but got a negative one or zero';
  }
  if (serial.length < MIN_SERIAL_BYTES || serial.length > MAX_SERIAL_BYTES) {
    const range = `${MIN_SERIAL_BYTES} to ${MAX_SERIAL_BYTES}`;
    yield `expected a serial of ${range} bytes but got ${serial.length}`;
  }
  for (const [oid, { critical }] of facts.extensions) {
    if (critical && !KNOWN_EXTENSIONS.has(oid)) {
      yield `expected no critical extension that verifiers may not know but got ${oid}`;
    }
  }
  for (const oid of NEVER_CRITICAL) {
    if (facts.extensions.get(oid)?.critical === true) {
      yield `expected a key identifier that is not critical but got ${oid} critical`;
    }
  }
}

function* periodProblems({ facts, issuer, expected }: Subject): Iterable<string> {
  const { notBeforeMs: begin, notAfterMs: end } = facts;
  if (end <= begin) yield `expected an end after ${toRfc3339(begin)} but got ${toRfc3339(end)}`;
  if (begin < expected.earliestBeginMs) {
    const earliest = toRfc3339(expected.earliestBeginMs);
    yield `expected a begin from ${earliest} on but got ${toRfc3339(begin)}`;
  }
  if (end > expected.latestEndMs) {
    yield `expected an end until ${toRfc3339(expected.latestEndMs)} but got ${toRfc3339(end)}`;
  }
  if (begin < issuer.notBeforeMs || end > issuer.notAfterMs) {
    yield `expected a period within its issuer's but got ${toRfc3339(begin)} to ${toRfc3339(end)}`;
  }
}

/** Name, key identifier and signature of the issuer: RFC 5280 4.1.2.4, 4.2.1.1, 6.1.3. */
function* issuerProblems({ facts, issuer }: Subject): Iterable<string> {
  if (!facts.issuerDer.equals(issuer.subjectDer)) {
    yield "expected its issuer's name but got another one";
  }
  if (!issuer.isCa || !issuer.keyUsageBits.has(BIT.keyCertSign)) {
    yield 'expected an issuer that may sign certificates but got one that may not';
  }
  if (facts.issuerKeyIdHex === undefined || facts.issuerKeyIdHex !== issuer.keyIdHex) {
    yield `expected authority key identifier ${issuer.keyIdHex} but got ${facts.issuerKeyIdHex}`;
  }
  if (!hasSignatureOf(facts, issuer.x509.publicKey)) {
    yield "expected a signature by its issuer's key but got another one";
  }
  if (facts !== issuer && facts.isCa && issuer.pathLength === 0) {
    yield 'expected an issuer that may have CAs below it but got one of path length 0';
  }
}

function* keyProblems({ facts, privateKeyPem }: Subject): Iterable<string> {
  if (facts.keyIdHex === undefined || !/^([0-9a-f]{2})+$/.test(facts.keyIdHex)) {
    yield 'expected a subject key identifier but got none';
  }
  if (privateKeyPem !== undefined && !belongsTo(facts, privateKeyPem)) {
    yield 'expected the private key of this certificate but got another';
  }
}

function belongsTo(facts: CertificateFacts, privateKeyPem: string): boolean {
  // Where it does not follow in this form, OpenSSL reads both: there are other encodings.
  if (tryDerivePublicKey(privateKeyPem)?.equals(facts.publicKeyDer) === true) return true;
  try {
    return facts.x509.checkPrivateKey(createPrivateKey(privateKeyPem));
  } catch {
    // OpenSSL's own words on a bad key are not passed on: they may come to quote it.
    return false;
  }
}

/** X509-SVID section 2 (exactly one URI SAN) and RFC 5280 4.2.1.6. */
function* identityProblems(facts: CertificateFacts, expected: Expectation): Iterable<string> {
  const spiffeId = expected.kind === 'server' ? undefined : expected.spiffeId;
  const dnsNames = expected.kind === 'authority' ? [] : expected.dnsNames;
  const uris = spiffeId === undefined ? [] : [spiffeId];
  if (!sameNames(facts.uris, uris)) {
    yield `expected URI names ${list(uris)} but got ${list(facts.uris)}`;
  }
  if (!sameNames(facts.dnsNames, dnsNames)) {
    yield `expected DNS names ${list(dnsNames)} but got ${list(facts.dnsNames)}`;
  }
  if (facts.otherNames > 0) yield `expected no names of other kinds but got ${facts.otherNames}`;
  if (facts.ipsHex.length > 0 && expected.kind !== 'server') {
    yield `expected no addresses but got ${facts.ipsHex.length}`;
  }
  yield* pathProblems(expected);
  if (expected.kind === 'authority') return;
  if (expected.kind === 'outside-workload') yield* commonNameProblems(facts, expected);
  else if (!facts.subjectIsEmpty) yield 'expected an empty subject but got a name';
  const mayHaveSubject = expected.kind === 'outside-workload' && !facts.subjectIsEmpty;
  if (!mayHaveSubject && facts.extensions.get(EXTENSION_OID.subjectAltName)?.critical !== true) {
    yield 'expected a critical subject alternative name, as the subject is empty, but got none';
  }
}

/** X509-SVID section 2: the subject is no second identity. */
function* commonNameProblems(
  facts: CertificateFacts,
  { spiffeId, dnsNames }: ExpectedLeaf,
): Iterable<string> {
  const ids = [spiffeId, toCommonName(spiffeId)];
  for (const name of readCommonNames(facts)) {
    if (ids.includes(name) || dnsNames.includes(name)) continue;
    yield `expected no common name but the identity's but got ${JSON.stringify(name)}`;
  }
}

/** X509-SVID section 3: a workload's ID has a path, a signing certificate's has none. */
function* pathProblems(expected: Expectation): Iterable<string> {
  if (expected.kind === 'server' || expected.spiffeId === undefined) return;
  const { kind, spiffeId } = expected;
  const hasPath = isWorkloadId(spiffeId);
  if (kind !== 'authority' && !hasPath) {
    yield `expected a workload's SPIFFE ID, with a path, but got ${spiffeId}`;
  }
  if (kind === 'authority' && hasPath) {
    yield `expected a trust domain's SPIFFE ID, without a path, but got ${spiffeId}`;
  }
}

/** X509-SVID section 4 and its appendix A. */
function* endEntityProblems(
  facts: CertificateFacts,
  kind: Exclude<Expectation['kind'], 'authority'>,
): Iterable<string> {
  if (facts.isCa) yield 'expected no CA but got one';
  if (facts.pathLength !== undefined) yield 'expected no path length but got one';
  // Without it TLS 1.2's RSA key exchange is off; mesh TLS has none, so the bit grants nothing. The
  // kind first: OpenSSL need not read a leaf of our own for it.
  const mayEncipher =
    kind === 'outside-workload' && facts.x509.publicKey.asymmetricKeyType === 'rsa';
  yield* keyUsageProblems(facts, [BIT.digitalSignature], mayEncipher ? [BIT.keyEncipherment] : []);
  const usages =
    kind === 'server' ? [USAGE_OID.serverAuth] : [USAGE_OID.serverAuth, USAGE_OID.clientAuth];
  if (!sameNames(facts.extendedKeyUsageOids, usages)) {
    const got = list(facts.extendedKeyUsageOids);
    yield `expected extended key usages ${list(usages)} but got ${got}`;
  }
}

/** X509-SVID sections 3 and 4, RFC 5280 4.2.1.9. */
function* authorityProblems(
  facts: CertificateFacts,
  expected: ExpectedAuthority,
): Iterable<string> {
  if (!facts.isCa) yield 'expected a CA but got none';
  if (facts.extensions.get(EXTENSION_OID.basicConstraints)?.critical !== true) {
    yield 'expected critical basic constraints but got none';
  }
  if (facts.pathLength !== expected.pathLength) {
    yield `expected path length ${expected.pathLength} but got ${facts.pathLength}`;
  }
  if (facts.subjectIsEmpty) yield 'expected a subject but got an empty one';
  if (facts.extendedKeyUsageOids.length > 0) yield 'expected no extended key usage but got some';
  yield* keyUsageProblems(facts, [BIT.keyCertSign, BIT.cRLSign]);
}

function* keyUsageProblems(
  facts: CertificateFacts,
  wanted: readonly number[],
  allowed: readonly number[] = [],
): Iterable<string> {
  if (facts.extensions.get(EXTENSION_OID.keyUsage)?.critical !== true) {
    yield 'expected a critical key usage but got none';
  }
  const bits = [...facts.keyUsageBits].filter((bit) => !allowed.includes(bit));
  if (!sameNames(bits.map(String), wanted.map(String))) {
    yield `expected key usage bits ${list(wanted)} but got ${list(bits)}`;
  }
}

/** Equal as sets, and without repetition. */
function sameNames(got: readonly string[], wanted: readonly string[]): boolean {
  return got.length === wanted.length && new Set([...got, ...wanted]).size === wanted.length;
}

function list(items: readonly (string | number)[]): string {
  return items.length === 0 ? '[none]' : `[${items.join(', ')}]`;
}
