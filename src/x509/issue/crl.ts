// The whole of a revocation list in one place: template → sign → re-parse → validate. Envoy refuses
// every peer where a list is missing for the issuer of its certificate, has ended or doesn't parse,
// so a list lives longer than any leaf, is checked before it is sent and again when it comes back
// from the disk.
// Rules: RFC 5280 section 5.

import { DAY_MS, MeshError, SECOND_MS, type Times, toRfc3339 } from '../../base/index.js';
import { verifyDer } from '../keys/index.js';
import type { CertificateFacts } from '../read/index.js';
import { type CrlFacts, readCrl, toCrlPem } from '../read/index.js';
import { type CrlTemplate, signCrl } from './crl-sign.js';
import type { Issuer } from './issue.js';
import { CA_BACKDATE_MS } from './template.js';

/**
 * Signed anew at half of this, a list has 100 days left: more than the longest leaf (90 days), so
 * that with the server gone it is never the list that fails first.
 */
export const CRL_LIFETIME_MS = 200 * DAY_MS;
export const CRL_RENEW_AT_MS = CRL_LIFETIME_MS / 2;

/** A certificate that is refused before its end. */
export interface RevokedSerial {
  /** Lower-case hex without leading zero bytes. */
  readonly serialHex: string;
  readonly revokedAtMs: number;
}

export interface CrlRequest {
  /** At least one. */
  readonly revoked: readonly RevokedSerial[];
  /** Greater than that of the list before. */
  readonly number: number;
  readonly times: Times;
}

/** How an authority says which of its certificates are refused. */
export interface CrlAuthority {
  /**
   * Every CA whose leaves may be in force, the present one first: without a list of its own, an
   * issuer's leaves are all refused. An issuer must be among them, and its list with every sidecar,
   * before it signs its first leaf.
   */
  issuers(): readonly CertificateFacts[];
  /** One list (PEM) for each of them, in order, validated. @throws MeshError certificate-invalid */
  sign(request: CrlRequest): Promise<readonly string[]>;
}

/** A signed and validated list, PEM. @throws MeshError certificate-invalid */
export function issueCrl(request: CrlRequest, issuer: Issuer): string {
  const template = toTemplate(request);
  const { subjectDer, keyIdHex = '' } = issuer.facts;
  const der = signCrl(template, { subjectDer, keyIdHex, privateKey: issuer.privateKey });
  const crl = readCrl(der);
  const problems = [...crlProblems({ crl, issuer: issuer.facts, times: request.times })];
  if (JSON.stringify(crl.entries) !== JSON.stringify(template.entries)) {
    problems.push('expected the serials that were asked for but got others');
  }
  if (problems.length > 0) throw new MeshError('certificate-invalid', problems.join('; '));
  return toCrlPem(der);
}

/** What keeps a list from being sent at these times; none where it is good. */
export function* crlProblems(options: {
  readonly crl: CrlFacts;
  readonly issuer: CertificateFacts;
  readonly times: Times;
}): Iterable<string> {
  const { crl, issuer, times } = options;
  if (crl.version !== 2) yield `expected version 2 but got ${crl.version}`;
  if (!crl.issuerDer.equals(issuer.subjectDer)) {
    yield 'expected the name of its issuer but got another';
  }
  if (crl.issuerKeyIdHex === undefined || crl.issuerKeyIdHex !== issuer.keyIdHex) {
    yield 'expected the key identifier of its issuer but got another';
  }
  if (crl.numberHex === undefined || crl.numberHex.length > 2 * MAX_NUMBER_BYTES) {
    yield `expected a number of at most ${MAX_NUMBER_BYTES} bytes but got another`;
  }
  if (crl.criticalOids.length > 0) {
    yield `expected no critical extension but got ${crl.criticalOids.join(', ')}`;
  }
  if (crl.entries.length === 0) yield 'expected a revoked certificate but got none';
  if (new Set(crl.entries.map(({ serialHex }) => serialHex)).size !== crl.entries.length) {
    yield 'expected each serial once but got one twice';
  }
  if (crl.thisUpdateMs > times.earliestMs || crl.nextUpdateMs <= times.latestMs) {
    const period = [crl.thisUpdateMs, crl.nextUpdateMs].map((ms) => toRfc3339(ms));
    yield `expected a list in force but its period is ${period.join(' to ')}`;
  }
  if (verifyDer(crl, issuer.x509.publicKey) !== true)
    yield 'expected a signature of its issuer but got another';
}

const MAX_NUMBER_BYTES = 20;
function toTemplate({ revoked, number, times }: CrlRequest): CrlTemplate {
  const entries = revoked.map(({ serialHex, revokedAtMs }) => ({
    serialHex,
    revokedAtMs: toWholeSecond(revokedAtMs),
  }));
  return {
    number,
    thisUpdateMs: toWholeSecond(times.earliestMs - CA_BACKDATE_MS),
    nextUpdateMs: toWholeSecond(times.latestMs + CRL_LIFETIME_MS),
    entries: entries.sort((a, b) => compareSerials(a.serialHex, b.serialHex)),
  };
}

/** As numbers. */
export function compareSerials(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

function toWholeSecond(timeMs: number): number {
  return Math.floor(timeMs / SECOND_MS) * SECOND_MS;
}
