// What a certificate revocation list says, read from its DER by code that shares nothing with the
// encoder (RFC 5280 section 5.1). Facts only: `crl.ts` judges.
import { MeshError } from '../../base/index.js';
import {
  contentOf,
  type DerValue,
  readBoolean,
  readChildren,
  readDer,
  readOid,
  readTimeMs,
  TAG,
} from '../der/der-reader.js';

export interface CrlEntry {
  /** Lower-case hex without leading zero bytes. */
  readonly serialHex: string;
  /** Whole seconds, in ms. */
  readonly revokedAtMs: number;
}

export interface CrlFacts {
  readonly version: number;
  readonly issuerDer: Buffer;
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
  readonly entries: readonly CrlEntry[];
  /** Unsigned, lower-case hex; undefined: none. */
  readonly numberHex: string | undefined;
  readonly issuerKeyIdHex: string | undefined;
  /** OIDs of extensions that no verifier need know, yet must. */
  readonly criticalOids: readonly string[];
  /** Of the algorithm, within what is signed and beside it. */
  readonly algorithmOids: readonly [string, string];
  /** What is signed. */
  readonly tbsDer: Buffer;
  readonly signature: Buffer;
}

const NUMBER = '2.5.29.20';
const ISSUER_KEY_ID = '2.5.29.35';
const CONTEXT_0 = 0x80;
const EXTENSIONS = 0xa0;
const PEM_BLOCK = /-----BEGIN X509 CRL-----\s+([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/g;

/** PEM of one list, with a line feed at its end. */
export function toCrlPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN X509 CRL-----\n${lines.join('\n')}\n-----END X509 CRL-----\n`;
}

/** DER of each list of a PEM text, in order. @throws MeshError certificate-invalid */
export function splitCrlPem(pem: string): readonly Buffer[] {
  const blocks = [...pem.matchAll(PEM_BLOCK)];
  if (blocks.length === 0) throw broken('revocation lists in PEM but got none');
  return blocks.map(([, body = '']) => Buffer.from(body.replace(/\s/g, ''), 'base64'));
}

/** @throws MeshError certificate-invalid where it is no list of version 2 in DER. */
export function readCrl(der: Buffer): CrlFacts {
  const [tbs, algorithm, signature] = readChildren(readDer(der), TAG.sequence);
  if (!tbs || !algorithm || !signature) throw broken('a revocation list but got other bytes');
  const [version, inner, issuer, thisUpdate, nextUpdate, ...rest] = readChildren(tbs, TAG.sequence);
  if (!issuer || !inner) throw broken('a revocation list but got other bytes');
  const entries = rest.find(({ tag }) => tag === TAG.sequence);
  const extensions = rest.find(({ tag }) => tag === EXTENSIONS);
  const bits = contentOf(signature, TAG.bitString);
  if (bits[0] !== 0) throw broken('a signature of whole bytes but got other bits');
  return {
    version: (contentOf(version, TAG.integer)[0] ?? 0) + 1,
    issuerDer: issuer.der,
    thisUpdateMs: readTimeMs(thisUpdate),
    nextUpdateMs: readTimeMs(nextUpdate),
    entries: entries === undefined ? [] : readChildren(entries).map(readEntry),
    ...readExtensions(extensions),
    algorithmOids: [readAlgorithm(inner), readAlgorithm(algorithm)],
    tbsDer: tbs.der,
    signature: bits.subarray(1),
  };
}

function readEntry(value: DerValue): CrlEntry {
  const [serial, revokedAt] = readChildren(value, TAG.sequence);
  return { serialHex: toUnsignedHex(serial), revokedAtMs: readTimeMs(revokedAt) };
}

function readExtensions(value: DerValue | undefined) {
  const [list] = value === undefined ? [] : readChildren(value);
  const found = new Map<string, DerValue>();
  const criticalOids: string[] = [];
  for (const entry of list === undefined ? [] : readChildren(list, TAG.sequence)) {
    const [oidValue, second, third] = readChildren(entry, TAG.sequence);
    const oid = readOid(oidValue);
    if (second?.tag === TAG.boolean && readBoolean(second)) criticalOids.push(oid);
    if (found.has(oid)) throw broken(`extension ${oid} once but got it twice`);
    found.set(oid, readDer(contentOf(third ?? second, TAG.octetString)));
  }
  const number = found.get(NUMBER);
  const issuer = found.get(ISSUER_KEY_ID);
  const keyId = issuer && readChildren(issuer, TAG.sequence).find(({ tag }) => tag === CONTEXT_0);
  return {
    numberHex: number === undefined ? undefined : toUnsignedHex(number),
    issuerKeyIdHex: keyId?.content.toString('hex'),
    criticalOids,
  };
}

function readAlgorithm(value: DerValue): string {
  return readOid(readChildren(value, TAG.sequence)[0]);
}

function toUnsignedHex(value: DerValue | undefined): string {
  const content = contentOf(value, TAG.integer);
  if (((content[0] ?? 0) & 0x80) !== 0) throw broken('a positive number but got a negative one');
  return content.toString('hex').replace(/^(00)+(?=..)/, '');
}

function broken(expected: string): MeshError {
  return new MeshError('certificate-invalid', `expected ${expected}`);
}
