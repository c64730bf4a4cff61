// What an outside CA answered is judged as if an enemy had sent it: the key must be ours, the names
// exactly those asked for, the period no longer, every CA above it a fit one, and the chain must
// end at a root that the mesh trusts. Only then is it a leaf. Clocks of two machines differ: what
// would make a leaf useless by our clock is reported as that.

import { createPublicKey } from 'node:crypto';
import { MeshError, SECOND_MS, toRfc3339 } from '../../base/index.js';
import type { SpiffeId } from '../../spiffe/index.js';
import { caProblems, certificateProblems } from '../../x509/check/index.js';
import { BACKDATE_MS } from '../../x509/issue/index.js';
import {
  type CertificateFacts,
  isSignedBy,
  readCertificate,
  splitPem,
} from '../../x509/read/index.js';

export interface OutsideRequest {
  readonly spiffeId: SpiffeId;
  readonly dnsNames: readonly string[];
  readonly ttlMs: number;
  readonly publicKeyDer: Buffer;
  /** PKCS #8; undefined: somebody else holds the key. */
  readonly privateKeyPem: string | undefined;
}

export interface OutsideTrust {
  readonly trustDomain: string;
  readonly roots: readonly CertificateFacts[];
  /** When the answer came. */
  readonly nowMs: number;
}

export interface OutsideChain {
  readonly leaf: CertificateFacts;
  /** The leaf's issuer first; without roots, but for one that issued the leaf itself. */
  readonly issuers: readonly [CertificateFacts, ...CertificateFacts[]];
}

/** A leaf and the CAs above it; longer chains are nobody's need. */
const MAX_CERTIFICATES = 6;
/** A leaf with less left would be renewed again and again. */
const SHORTEST_LEFT_MS = 5 * SECOND_MS;
/** How far the CA's clock may run ahead: as much as we backdate our own certificates. */
const CLOCK_SKEW_MS = BACKDATE_MS;
const CLOCKS = "compare this machine's clock with the CA's";

/**
 * The chain that the CA answered with, leaf first: one whose issuers may issue for the mesh. The
 * leaf is not judged.
 * @throws MeshError certificate-invalid, with everything that is wrong
 */
export function readOutsideChain(
  certificates: readonly string[],
  trust: OutsideTrust,
): OutsideChain {
  const [leaf, ...above] = parseChain(certificates);
  const [first, ...rest] = withoutRoots(above, trust.roots);
  if (leaf === undefined || first === undefined) {
    throw refuse(['expected a leaf and its issuer but got one certificate']);
  }
  const issuers = [first, ...rest] as const;
  const problems = [...issuerProblems(issuers, trust)];
  if (problems.length > 0) throw refuse(problems);
  return { leaf, issuers };
}

/** @throws MeshError certificate-invalid where the leaf is not what was asked for. */
export function assertOutsideLeaf(
  chain: OutsideChain,
  request: OutsideRequest & { readonly nowMs: number },
): void {
  const problems = [...leafProblems(chain, request)];
  if (problems.length > 0) throw refuse(problems);
}

/** Whether every signature holds up to one of the roots. */
export function endsAt(
  roots: readonly CertificateFacts[],
  chain: readonly CertificateFacts[],
): boolean {
  return chain.every((facts, i) => {
    const next = chain[i + 1];
    return (next === undefined ? roots : [next]).some((issuer) => isSignedBy(facts, issuer));
  });
}

function parseChain(certificates: readonly string[]): readonly CertificateFacts[] {
  const all = certificates.flatMap((pem) => splitPem(pem));
  if (all.length > MAX_CERTIFICATES) {
    throw refuse([`expected at most ${MAX_CERTIFICATES} certificates but got ${all.length}`]);
  }
  return all.map(readCertificate);
}

/** Peers have the roots; sent along they are only bytes. */
function withoutRoots(
  above: readonly CertificateFacts[],
  roots: readonly CertificateFacts[],
): readonly CertificateFacts[] {
  const isRoot = ({ der }: CertificateFacts): boolean => roots.some((root) => root.der.equals(der));
  return above.filter((facts, i) => i === 0 || !isRoot(facts));
}

function* leafProblems(
  { leaf, issuers: [issuer] }: OutsideChain,
  request: OutsideRequest & { readonly nowMs: number },
): Iterable<string> {
  const { spiffeId, dnsNames, ttlMs, privateKeyPem, nowMs } = request;
  yield* certificateProblems({
    facts: leaf,
    issuer,
    privateKeyPem,
    expected: {
      kind: 'outside-workload',
      spiffeId,
      dnsNames,
      // How far a CA backdates is its own matter, and grants nothing.
      earliestBeginMs: Number.NEGATIVE_INFINITY,
      latestEndMs: nowMs + ttlMs + CLOCK_SKEW_MS,
    },
  });
  if (!sameKey(leaf, request.publicKeyDer)) {
    yield 'expected the public key of the request but got another';
  }
  const at = `expected one in force at ${toRfc3339(nowMs)}`;
  if (leaf.notBeforeMs > nowMs)
    yield `${at} but it begins ${toRfc3339(leaf.notBeforeMs)}: ${CLOCKS}`;
  if (leaf.notAfterMs - nowMs < Math.min(SHORTEST_LEFT_MS, ttlMs / 2)) {
    yield `${at} and for a while but it ends ${toRfc3339(leaf.notAfterMs)}: ${CLOCKS}`;
  }
}

function* issuerProblems(
  issuers: readonly CertificateFacts[],
  { roots, trustDomain, nowMs }: OutsideTrust,
): Iterable<string> {
  const last = issuers.at(-1);
  const root = roots.find((each) => last !== undefined && isSignedBy(last, each));
  if (root === undefined) {
    yield 'expected a chain that ends at a root of authority.stepCa.root but got another one';
    return;
  }
  const chain = [...issuers, root];
  for (const [pathLength, facts] of chain.entries()) {
    const issuer = chain[pathLength + 1] ?? facts;
    for (const problem of caProblems({ facts, issuer, trustDomain, pathLength, nowMs })) {
      yield `${facts === root ? 'root' : `issuer ${pathLength + 1}`}: ${problem}`;
    }
  }
}

/** Compared as keys, not as bytes: a CA may write the same key anew. */
function sameKey(leaf: CertificateFacts, publicKeyDer: Buffer): boolean {
  const wanted = createPublicKey({ key: publicKeyDer, format: 'der', type: 'spki' });
  return leaf.x509.publicKey.equals(wanted);
}

function refuse(problems: readonly string[]): MeshError {
  const message = `the CA's certificate is not what was asked for: ${problems.join('; ')}`;
  return new MeshError('certificate-invalid', message, {
    hint: 'correct the template or the provisioner at the CA; the certificate was not used',
  });
}
