// A certificate that another process issued for a key of ours, judged before it is put to use:
// whatever is wrong with it would otherwise show as failed handshakes later. It must belong to the
// key, be in force now, carry one SPIFFE ID, and its chain must end at the anchors that came along.

import { createPrivateKey } from 'node:crypto';
import { MeshError, toRfc3339 } from '../base/index.js';
import { parseSpiffeId, type SpiffeId } from '../spiffe/index.js';
import {
  type CertificateFacts,
  isSignedBy,
  readCertificate,
  splitPem,
} from '../x509/read/index.js';

export interface Received {
  /** The leaf first, then its intermediates. */
  readonly chainPem: string;
  readonly anchorsPem: string;
  /** PKCS #8 PEM of the key that it must belong to. */
  readonly keyPem: string;
  readonly nowMs: number;
}

/** What a good one says. Times in ms since the epoch. */
export interface ReceivedFacts {
  readonly spiffeId: SpiffeId;
  readonly dnsNames: readonly string[];
  readonly serialHex: string;
  readonly notAfterMs: number;
}

const DIGITAL_SIGNATURE = 0;
/** Longer chains than any CA has are not followed. */
const LONGEST_CHAIN = 10;

/** @throws MeshError certificate-invalid, identity-invalid; an Error where `keyPem` is no key */
export function checkReceived({ chainPem, anchorsPem, keyPem, nowMs }: Received): ReceivedFacts {
  const chain = splitPem(chainPem).map(readCertificate);
  const anchors = splitPem(anchorsPem).map(readCertificate);
  const [leaf] = chain;
  if (leaf === undefined) throw invalid('a certificate but got none');
  if (leaf.isCa || !leaf.keyUsageBits.has(DIGITAL_SIGNATURE)) {
    throw invalid('the certificate of a service but got that of an authority');
  }
  if (!leaf.x509.checkPrivateKey(createPrivateKey(keyPem))) {
    throw invalid('a certificate for the key that was made for it but got one for another');
  }
  const [uri = '', ...more] = leaf.uris;
  if (more.length > 0) throw invalid(`one URI name but got ${leaf.uris.length}`);
  checkPath({ chain, anchors, nowMs });
  const { dnsNames, serialHex, notAfterMs } = leaf;
  return { spiffeId: parseSpiffeId(uri), dnsNames, serialHex, notAfterMs };
}

/** From the leaf to an anchor by signatures, each in force; a cross-signed root may come along. */
function checkPath(options: {
  readonly chain: readonly CertificateFacts[];
  readonly anchors: readonly CertificateFacts[];
  readonly nowMs: number;
}): void {
  const { chain, anchors, nowMs } = options;
  for (const [step, facts] of chain.slice(0, LONGEST_CHAIN).entries()) {
    checkInForce(facts, nowMs);
    const anchor = anchors.find((one) => isSignedBy(facts, one));
    if (anchor !== undefined) {
      checkInForce(anchor, nowMs);
      return;
    }
    const next = chain[step + 1];
    if (next === undefined || !isSignedBy(facts, next)) break;
  }
  throw invalid('a chain that ends at the anchors that came with it but got another');
}

function checkInForce({ notBeforeMs, notAfterMs }: CertificateFacts, nowMs: number): void {
  if (nowMs >= notBeforeMs && nowMs < notAfterMs) return;
  const [begin, end, now] = [notBeforeMs, notAfterMs, nowMs].map((ms) => toRfc3339(ms));
  throw invalid(`certificates in force at ${now} but got one of ${begin} to ${end}`);
}

function invalid(expected: string): MeshError {
  return new MeshError('certificate-invalid', `expected ${expected}`);
}
