// The whole of issuing in one place: keys, then template -> sign -> re-parse -> validate. Nothing
// leaves here that was not read back and found to be what was asked for.
import assert from 'node:assert';
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { SECOND_MS, type Times } from '../../base/index.js';
import { assertCertificate, type Expectation } from '../check/index.js';
import type { KeyPair } from '../keys/index.js';
import {
  type CertificateFacts,
  readCertificate,
  readOwnCertificate,
  toPem,
} from '../read/index.js';
import { type Signer, signCertificate, toKeyIdHex, toSubjectDer } from './sign.js';
import { BACKDATE_MS, CA_BACKDATE_MS, type CertificateTemplate } from './template.js';

/** A certificate of a CA with its key, ready to sign. */
export interface Issuer {
  readonly facts: CertificateFacts;
  readonly pem: string;
  readonly privateKeyPem: string;
  readonly privateKey: KeyObject;
}

export interface Issued {
  readonly facts: CertificateFacts;
  readonly pem: string;
}

export interface IssueOptions {
  readonly template: CertificateTemplate;
  /** The template's key; undefined: somebody else holds it, and has proved that. */
  readonly keys: KeyPair | undefined;
  /** `self` for an anchor. */
  readonly issuer: Issuer | 'self';
  readonly expected: Expectation;
}

/** A signed and validated certificate. @throws MeshError certificate-invalid */
export function issueCertificate(options: IssueOptions): Issued {
  const { template, keys, issuer, expected } = options;
  const signer = issuer === 'self' ? toSelf(template, keys) : toSigner(issuer);
  const der = signCertificate(template, signer);
  const facts = isProven(options) ? readOwnCertificate(der) : readCertificate(der);
  const issuerFacts = issuer === 'self' ? facts : issuer.facts;
  const privateKeyPem = keys?.privateKeyPem;
  assertCertificate({ facts, issuer: issuerFacts, privateKeyPem, expected });
  if (issuer !== 'self') proven.add(issuer);
  return { facts, pem: toPem(der) };
}

/** Issuers of which OpenSSL has read a certificate that they issued here. */
const proven = new WeakSet<Issuer>();

/**
 * Whether the strict reader is enough: a leaf for a key that was made here, after others of its
 * issuer. What is rare, and what has another's key in it, OpenSSL reads as well.
 */
function isProven({ template, keys, issuer }: IssueOptions): boolean {
  return issuer !== 'self' && proven.has(issuer) && keys !== undefined && !template.isCa;
}

/** A validated certificate of a CA as an issuer of others. */
export function toIssuer(issued: Issued, privateKeyPem: string): Issuer {
  return { ...issued, privateKeyPem, privateKey: createPrivateKey(privateKeyPem) };
}

/** The period that a certificate made at these times must lie within. */
export function periodFrom(times: Times, lifetimeMs: number, backdateMs = BACKDATE_MS) {
  const earliestBeginMs = times.earliestMs - backdateMs - SECOND_MS;
  return { earliestBeginMs, latestEndMs: times.latestMs + lifetimeMs };
}

/** The same for a CA, or the xDS port's own certificate. */
export function caPeriodFrom(times: Times, lifetimeMs: number) {
  return periodFrom(times, lifetimeMs, CA_BACKDATE_MS);
}

function toSigner(issuer: Issuer): Signer {
  const { subjectDer, keyIdHex } = issuer.facts;
  // An issuer without a key identifier cannot be named by one; validation then refuses the result.
  return { subjectDer, keyIdHex: keyIdHex ?? '', privateKey: issuer.privateKey };
}

function toSelf(template: CertificateTemplate, keys: KeyPair | undefined): Signer {
  assert(keys !== undefined, 'an anchor signs itself');
  return {
    subjectDer: toSubjectDer(template.subject),
    keyIdHex: toKeyIdHex(keys.publicKeyDer),
    privateKey: createPrivateKey(keys.privateKeyPem),
  };
}
