// Second step of issuing: a template becomes signed DER. It decides nothing: a wrong template gives
// a wrong certificate, which `validate.ts` then refuses. What is the same in every certificate is
// encoded once.
// Structure: RFC 5280 section 4.1.
import { createHash, type KeyObject } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { readBitString, readChildren, readDer, TAG } from '../der/der-reader.js';
import {
  DER_TAG,
  DER_TRUE,
  derContext,
  derContextPrimitive,
  derInteger,
  derNamedBits,
  derOctetString,
  derOid,
  derSequence,
  derSetOf,
  derTime,
  derUtf8String,
  derValue,
} from '../der/der-writer.js';
import { EXTENSION_OID, NAME_OID, USAGE_OID } from '../der/oids.js';
import { signatureAlgorithm, signDer } from '../keys/index.js';
import type { CertificateTemplate, ExtendedKeyUsage, KeyUsage, NameAttribute } from './template.js';

/** Who signs: DER of its name, its key identifier, and its private key. */
export interface Signer {
  /** Byte for byte the subject of the issuer's certificate (RFC 5280 4.1.2.4). */
  readonly subjectDer: Buffer;
  readonly keyIdHex: string;
  readonly privateKey: KeyObject;
}

const OIDS = {
  O: derOid(NAME_OID.organization),
  CN: derOid(NAME_OID.commonName),
  subjectKeyId: derOid(EXTENSION_OID.keyId),
  keyUsage: derOid(EXTENSION_OID.keyUsage),
  subjectAltName: derOid(EXTENSION_OID.subjectAltName),
  basicConstraints: derOid(EXTENSION_OID.basicConstraints),
  authorityKeyId: derOid(EXTENSION_OID.issuerKeyId),
  extendedKeyUsage: derOid(EXTENSION_OID.extendedKeyUsage),
  serverAuth: derOid(USAGE_OID.serverAuth),
  clientAuth: derOid(USAGE_OID.clientAuth),
} as const;

/** Bit numbers of RFC 5280 4.2.1.3. */
const KEY_USAGE_BITS: Readonly<Record<KeyUsage, number>> = {
  digitalSignature: 0,
  keyCertSign: 5,
  cRLSign: 6,
};

/** Context tags of GeneralName, RFC 5280 4.2.1.6. */
const GENERAL_NAME = { dns: 2, uri: 6, ip: 7 } as const;

/** Version 3 is written as 2. */
const VERSION = derContext(0, derInteger(Buffer.of(2)));

/** DER of a certificate by `template`, signed by `signer`. */
export function signCertificate(template: CertificateTemplate, signer: Signer): Buffer {
  const tbsDer = derSequence(
    VERSION,
    // As the template says it, so that what is not positive can be refused.
    derValue(DER_TAG.integer, Buffer.from(template.serialHex, 'hex')),
    signatureAlgorithm(signer.privateKey).identifierDer,
    signer.subjectDer,
    derSequence(derTime(template.notBeforeMs), derTime(template.notAfterMs)),
    template.subjectDer ?? toSubjectDer(template.subject),
    template.publicKeyDer,
    derContext(3, derSequence(...extensions(template, signer.keyIdHex))),
  );
  return signDer(tbsDer, signer.privateKey);
}

/** DER of a template's subject; for a self-signed certificate also its issuer. */
export function toSubjectDer(subject: readonly NameAttribute[]): Buffer {
  return derSequence(
    ...subject.map(({ type, value }) => derSetOf(derSequence(OIDS[type], derUtf8String(value)))),
  );
}

/**
 * The key identifier of a public key: the first 160 bits of the SHA-256 of its bit string
 * (RFC 7093 section 2, method 1).
 * @throws MeshError certificate-invalid where it is no SubjectPublicKeyInfo
 */
export function toKeyIdHex(publicKeyDer: Buffer): string {
  const [, bits] = readChildren(readDer(publicKeyDer), TAG.sequence);
  return createHash('sha256').update(readBitString(bits).bytes).digest('hex').slice(0, 40);
}

function extensions(template: CertificateTemplate, issuerKeyIdHex: string): Buffer[] {
  const keyIdHex = template.keyIdHex ?? toKeyIdHex(template.publicKeyDer);
  const keyId = derOctetString(Buffer.from(keyIdHex, 'hex'));
  const issuerKeyId = derContextPrimitive(0, Buffer.from(issuerKeyIdHex, 'hex'));
  const names = generalNames(template);
  const usageBits = template.keyUsage.map((usage) => KEY_USAGE_BITS[usage]);
  const found = [
    extension('basicConstraints', basicConstraints(template), true),
    extension('keyUsage', derNamedBits(usageBits), true),
    extension('subjectKeyId', keyId, false),
    extension('authorityKeyId', derSequence(issuerKeyId), false),
  ];
  if (template.extendedKeyUsage.length > 0) {
    const usages = template.extendedKeyUsage.map((usage: ExtendedKeyUsage) => OIDS[usage]);
    found.push(extension('extendedKeyUsage', derSequence(...usages), false));
  }
  if (names.length > 0) {
    // Critical exactly where the subject is empty (RFC 5280 4.2.1.6).
    found.push(extension('subjectAltName', derSequence(...names), template.subject.length === 0));
  }
  return found;
}

function extension(type: keyof typeof OIDS, valueDer: Buffer, critical: boolean): Buffer {
  const value = derOctetString(valueDer);
  return critical ? derSequence(OIDS[type], DER_TRUE, value) : derSequence(OIDS[type], value);
}

function basicConstraints(template: CertificateTemplate): Buffer {
  // A default (cA false) is left out in DER.
  if (!template.isCa) return derSequence();
  if (template.pathLength === undefined) return derSequence(DER_TRUE);
  return derSequence(DER_TRUE, derInteger(Buffer.of(template.pathLength)));
}

function generalNames(template: CertificateTemplate): Buffer[] {
  const text = (tag: number, value: string): Buffer =>
    derContextPrimitive(tag, Buffer.from(value, 'latin1'));
  return [
    ...template.uris.map((uri) => text(GENERAL_NAME.uri, uri)),
    ...template.dnsNames.map((dns) => text(GENERAL_NAME.dns, dns)),
    ...template.ips.map((ip) => derContextPrimitive(GENERAL_NAME.ip, ipBytes(ip))),
  ];
}

/** Network-order bytes of an address. */
function ipBytes(ip: string): Buffer {
  if (isIPv4(ip)) return Buffer.from(ip.split('.').map(Number));
  // The URL parser writes any IPv6 spelling as hex groups with at most one "::".
  const canonical = new URL(`http://[${ip}]/`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const left = groups(head);
  const right = groups(tail ?? '');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  const hex = [...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join('');
  return Buffer.from(hex, 'hex');
}
