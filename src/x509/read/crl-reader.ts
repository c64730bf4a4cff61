// What a certificate revocation list says, read from its DER by code that shares nothing with the
// encoder (RFC 5280 section 5.1). Facts only: `crl.ts` judges.
import { MeshError } from '../../base/index.js';
import {
  type DerValue,
  readBitString,
  readChildren,
  readDer,
  readInteger,
  readNumber,
  readTimeMs,
  TAG,
} from '../der/der-reader.js';
import { CRL_NUMBER_OID, EXTENSION_OID } from '../der/oids.js';
import { splitPemBlocks, toPemBlock } from '../der/pem.js';
import type { Signed } from '../keys/index.js';
import { type Extension, readExtensionList } from './certificate-reader.js';

export interface CrlEntry {
  /** Lower-case hex without leading zero bytes. */
  readonly serialHex: string;
  /** Whole seconds, in ms. */
  readonly revokedAtMs: number;
}

export interface CrlFacts extends Signed {
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
}

const CONTEXT_0 = 0x80;
const EXTENSIONS = 0xa0;
const PEM_LABEL = 'X509 CRL';

/** PEM of one list, with a line feed at its end. */
export function toCrlPem(der: Buffer): string {
  return toPemBlock(PEM_LABEL, der);
}

/** DER of each list of a PEM text, in order. @throws MeshError certificate-invalid */
export function splitCrlPem(pem: string): readonly Buffer[] {
  const blocks = splitPemBlocks(PEM_LABEL, pem);
  if (blocks.length === 0) throw broken('revocation lists in PEM but got none');
  return blocks;
}

/** @throws MeshError certificate-invalid where it is no list of version 2 in DER. */
export function readCrl(der: Buffer): CrlFacts {
  const [tbs, algorithm, signature, ...more] = readChildren(readDer(der), TAG.sequence);
  if (!tbs || !algorithm || !signature || more.length > 0)
    throw broken('a revocation list but got other bytes');
  const [version, inner, issuer, thisUpdate, nextUpdate, ...rest] = readChildren(tbs, TAG.sequence);
  if (!issuer || !inner) throw broken('a revocation list but got other bytes');
  const entries = rest[0]?.tag === TAG.sequence ? rest.shift() : undefined;
  const extensions = rest[0]?.tag === EXTENSIONS ? rest.shift() : undefined;
  if (rest.length > 0) throw broken('a revocation list but got other bytes');
  const { unusedBits, bytes } = readBitString(signature);
  if (unusedBits !== 0) throw broken('a signature of whole bytes but got other bits');
  return {
    version: readNumber(version) + 1,
    issuerDer: issuer.der,
    thisUpdateMs: readTimeMs(thisUpdate),
    nextUpdateMs: readTimeMs(nextUpdate),
    entries: entries === undefined ? [] : readChildren(entries).map(readEntry),
    ...readExtensions(extensions),
    signatureAlgorithmDer: algorithm.der,
    signedAlgorithmDer: inner.der,
    tbsDer: tbs.der,
    signature: bytes,
  };
}

function readEntry(value: DerValue): CrlEntry {
  const [serial, revokedAt] = readChildren(value, TAG.sequence);
  return { serialHex: toUnsignedHex(serial), revokedAtMs: readTimeMs(revokedAt) };
}

function readExtensions(value: DerValue | undefined) {
  const [list, ...more] = value === undefined ? [] : readChildren(value);
  if (more.length > 0) throw broken('one list of extensions but got more');
  const found = list === undefined ? new Map<string, Extension>() : readExtensionList(list);
  const criticalOids = [...found].filter(([, { critical }]) => critical).map(([oid]) => oid);
  const number = found.get(CRL_NUMBER_OID)?.value;
  const issuer = found.get(EXTENSION_OID.issuerKeyId)?.value;
  const keyId = issuer && readChildren(issuer, TAG.sequence).find(({ tag }) => tag === CONTEXT_0);
  return {
    numberHex: number === undefined ? undefined : toUnsignedHex(number),
    issuerKeyIdHex: keyId?.content.toString('hex'),
    criticalOids,
  };
}

function toUnsignedHex(value: DerValue | undefined): string {
  const content = readInteger(value);
  if (((content[0] ?? 0) & 0x80) !== 0) throw broken('a positive number but got a negative one');
  return content.toString('hex').replace(/^(00)+(?=..)/, '');
}

function broken(expected: string): MeshError {
  return new MeshError('certificate-invalid', `expected ${expected}`);
}
