// Third step of issuing: what a certificate says, read from its DER by code that shares nothing
// with the encoder. node:crypto's X509Certificate checks signatures and key pairs; it doesn't give
// critical flags, key usages, path lengths or key identifiers, so those are read here. Facts only:
// `validate.ts` judges.
// Structure: RFC 5280 section 4.1 and 4.2.
import { X509Certificate } from 'node:crypto';
import { MeshError } from '../../base/index.js';
import {
  contentOf,
  type DerValue,
  readBitString,
  readBits,
  readBoolean,
  readChildren,
  readDer,
  readInteger,
  readNumber,
  readOid,
  readTimeMs,
  TAG,
} from '../der/der-reader.js';
import { EXTENSION_OID } from '../der/oids.js';
import { splitPemBlocks, toPemBlock } from '../der/pem.js';
import type { Signed } from '../keys/index.js';

export interface CertificateFacts extends Signed {
  /** As OpenSSL reads it. */
  readonly x509: X509Certificate;
  readonly der: Buffer;
  readonly version: number;
  /** Two's complement content bytes of the serial. */
  readonly serial: Buffer;
  readonly serialHex: string;
  /** OID of the algorithm by which it is signed. */
  readonly signatureOid: string;
  readonly issuerDer: Buffer;
  readonly subjectDer: Buffer;
  readonly subjectIsEmpty: boolean;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SubjectPublicKeyInfo. */
  readonly publicKeyDer: Buffer;
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
  /** Bit numbers of RFC 5280 4.2.1.3. */
  readonly keyUsageBits: ReadonlySet<number>;
  readonly extendedKeyUsageOids: readonly string[];
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  /** Addresses in network order, hex. */
  readonly ipsHex: readonly string[];
  /** Names in the SAN of any other kind. */
  readonly otherNames: number;
  readonly keyIdHex: string | undefined;
  readonly issuerKeyIdHex: string | undefined;
  /** By OID: whether it is critical. */
  readonly extensions: ReadonlyMap<string, { readonly critical: boolean }>;
}

export interface Extension {
  readonly critical: boolean;
  readonly value: DerValue;
}

const CONTEXT = 0x80;
const CONSTRUCTED_CONTEXT = 0xa0;
const GENERAL_NAME = { dns: CONTEXT | 2, uri: CONTEXT | 6, ip: CONTEXT | 7 } as const;
const PEM_LABEL = 'CERTIFICATE';

/** PEM of one certificate, with a line feed at its end. */
export function toPem(der: Buffer): string {
  return toPemBlock(PEM_LABEL, der);
}

/** DER of each certificate of a PEM text, in order. @throws MeshError certificate-invalid */
export function splitPem(pem: string): readonly Buffer[] {
  const blocks = splitPemBlocks(PEM_LABEL, pem);
  if (blocks.length === 0) {
    throw new MeshError('certificate-invalid', 'expected certificates in PEM but got none');
  }
  return blocks;
}

/**
 * What the certificate says.
 * @throws MeshError certificate-invalid where it is not X.509 in DER.
 */
export function readCertificate(der: Buffer): CertificateFacts {
  // First, so that what OpenSSL can't read is reported as that.
  const x509 = tryX509(der);
  return { ...readDerFacts(der), x509 };
}

/**
 * What a certificate says that was encoded in this process: by the strict reader alone, since
 * OpenSSL's takes longer (170 µs) than all else that issuing does but signing. It is asked when
 * `x509` is.
 * @throws MeshError certificate-invalid where it is not X.509 in DER.
 */
export function readOwnCertificate(der: Buffer): CertificateFacts {
  let x509: X509Certificate | undefined;
  return Object.defineProperty(readDerFacts(der), 'x509', {
    enumerable: true,
    get: () => (x509 ??= tryX509(der)),
  }) as CertificateFacts;
}

function readDerFacts(der: Buffer): Omit<CertificateFacts, 'x509'> {
  const [tbsValue, algorithm, signature, ...more] = readChildren(readDer(der), TAG.sequence);
  if (!tbsValue || !algorithm || more.length > 0) throw notX509();
  const tbs = [...readChildren(tbsValue, TAG.sequence)];
  const version = tbs[0]?.tag === CONSTRUCTED_CONTEXT ? readVersion(tbs.shift()) : 1;
  const [serialValue, signed, issuer, validity, subject, publicKey, ...rest] = tbs;
  if (!signed || !issuer || !validity || !subject || !publicKey) throw notX509();
  const [notBefore, notAfter, ...times] = readChildren(validity, TAG.sequence);
  if (times.length > 0) throw notX509();
  const serial = readInteger(serialValue);
  const extensions = readExtensions(rest.find((part) => part.tag === (CONSTRUCTED_CONTEXT | 3)));
  return {
    der,
    tbsDer: tbsValue.der,
    signatureAlgorithmDer: algorithm.der,
    signature: readSignature(signature),
    signedAlgorithmDer: signed.der,
    version,
    serial,
    serialHex: serial.toString('hex').replace(/^(00)+(?=..)/, ''),
    signatureOid: readOid(readChildren(algorithm, TAG.sequence)[0]),
    issuerDer: issuer.der,
    subjectDer: subject.der,
    subjectIsEmpty: subject.content.length === 0,
    notBeforeMs: readTimeMs(notBefore),
    notAfterMs: readTimeMs(notAfter),
    publicKeyDer: publicKey.der,
    ...readConstraints(extensions),
    ...readNames(extensions.get(EXTENSION_OID.subjectAltName)),
    ...readKeyIds(extensions),
    extensions,
  };
}

function tryX509(der: Buffer): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch {
    throw notX509();
  }
}

function notX509(): MeshError {
  return new MeshError('certificate-invalid', 'expected an X.509 certificate but got other bytes');
}

function readSignature(value: DerValue | undefined): Buffer {
  const { unusedBits, bytes } = readBitString(value);
  if (unusedBits !== 0) throw notX509();
  return bytes;
}

function readVersion(value: DerValue | undefined): number {
  const [number, ...more] = value === undefined ? [] : readChildren(value);
  if (more.length > 0) throw notX509();
  return readNumber(number) + 1;
}

function readExtensions(value: DerValue | undefined): ReadonlyMap<string, Extension> {
  const [list, ...more] = value === undefined ? [] : readChildren(value);
  if (more.length > 0) throw notX509();
  return list === undefined ? new Map() : readExtensionList(list);
}

/** An Extensions of RFC 5280, by OID. @throws MeshError certificate-invalid */
export function readExtensionList(list: DerValue): ReadonlyMap<string, Extension> {
  const found = new Map<string, Extension>();
  for (const entry of readChildren(list, TAG.sequence)) {
    const [oidValue, ...rest] = readChildren(entry, TAG.sequence);
    const oid = readOid(oidValue);
    const flag = rest[0]?.tag === TAG.boolean ? rest.shift() : undefined;
    const critical = flag !== undefined && readBoolean(flag);
    const [octets, ...more] = rest;
    const content = contentOf(octets, TAG.octetString);
    if (more.length > 0) {
      throw new MeshError('certificate-invalid', `expected one value of extension ${oid}`);
    }
    if (found.has(oid)) {
      throw new MeshError('certificate-invalid', `expected extension ${oid} once but got it twice`);
    }
    found.set(oid, { critical, value: readDer(content) });
  }
  return found;
}

function readConstraints(extensions: ReadonlyMap<string, Extension>) {
  const constraints = extensions.get(EXTENSION_OID.basicConstraints)?.value;
  const parts = constraints === undefined ? [] : [...readChildren(constraints, TAG.sequence)];
  const flag = parts[0]?.tag === TAG.boolean ? parts.shift() : undefined;
  const [length, ...others] = parts;
  if (others.length > 0) throw notX509();
  const usage = extensions.get(EXTENSION_OID.keyUsage)?.value;
  const extended = extensions.get(EXTENSION_OID.extendedKeyUsage)?.value;
  return {
    isCa: flag !== undefined && readBoolean(flag),
    pathLength: length === undefined ? undefined : readNumber(length),
    keyUsageBits: usage === undefined ? new Set<number>() : readBits(usage),
    extendedKeyUsageOids:
      extended === undefined ? [] : readChildren(extended, TAG.sequence).map(readOid),
  };
}

/** The names of a subjectAltName. @throws MeshError certificate-invalid */
export function readNames(extension: Extension | undefined) {
  const names = extension === undefined ? [] : readChildren(extension.value, TAG.sequence);
  const of = (tag: number, encoding: BufferEncoding): readonly string[] =>
    names.filter((name) => name.tag === tag).map((name) => name.content.toString(encoding));
  const uris = of(GENERAL_NAME.uri, 'latin1');
  const dnsNames = of(GENERAL_NAME.dns, 'latin1');
  const ipsHex = of(GENERAL_NAME.ip, 'hex');
  const otherNames = names.length - uris.length - dnsNames.length - ipsHex.length;
  return { uris, dnsNames, ipsHex, otherNames };
}

function readKeyIds(extensions: ReadonlyMap<string, Extension>) {
  const own = extensions.get(EXTENSION_OID.keyId)?.value;
  const issuer = extensions.get(EXTENSION_OID.issuerKeyId)?.value;
  const issuerKeyId =
    issuer === undefined
      ? undefined
      : readChildren(issuer, TAG.sequence).find((part) => part.tag === CONTEXT);
  return {
    keyIdHex: own === undefined ? undefined : contentOf(own, TAG.octetString).toString('hex'),
    issuerKeyIdHex: issuerKeyId?.content.toString('hex'),
  };
}
