// Second step of issuing: a template becomes signed DER. The only file that uses node-forge, of
// which it takes the ASN.1 encoder alone; the signature comes from node:crypto (forge has no
// ECDSA). It decides nothing: a wrong template gives a wrong certificate, which `validate.ts` then
// refuses.
// Structure: RFC 5280 section 4.1; algorithm identifiers: RFC 5758 section 3.2, RFC 4055 section 5.
import assert from 'node:assert';
import { createHash, type KeyObject, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';
import asn1 from 'node-forge/lib/asn1.js';
import type { CertificateTemplate, ExtendedKeyUsage, KeyUsage, NameAttribute } from './template.js';

type Asn1 = ReturnType<typeof asn1.create>;

/** Who signs: DER of its name, its key identifier, and its private key. */
export interface Signer {
  /** Byte for byte the subject of the issuer's certificate (RFC 5280 4.1.2.4). */
  readonly subjectDer: Buffer;
  readonly keyIdHex: string;
  readonly privateKey: KeyObject;
}

const OIDS = {
  O: '2.5.4.10',
  CN: '2.5.4.3',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** Bit numbers of RFC 5280 4.2.1.3. */
const KEY_USAGE_BITS: Readonly<Record<KeyUsage, number>> = {
  digitalSignature: 0,
  keyCertSign: 5,
  cRLSign: 6,
};

/** Context tags of GeneralName, RFC 5280 4.2.1.6. */
const GENERAL_NAME = { dns: 2, uri: 6, ip: 7 } as const;

/** From 2050 on, times are GeneralizedTime (RFC 5280 4.1.2.5). */
const GENERALIZED_FROM_MS = Date.UTC(2050, 0, 1);

/** DER of a certificate by `template`, signed by `signer`. */
export function signCertificate(template: CertificateTemplate, signer: Signer): Buffer {
  const algorithm = signatureAlgorithm(signer.privateKey);
  const tbs = sequence([
    asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0, true, [integer(Buffer.of(2))]),
    integer(Buffer.from(template.serialHex, 'hex')),
    algorithm.identifier,
    embed(signer.subjectDer),
    sequence([time(template.notBeforeMs), time(template.notAfterMs)]),
    template.subjectDer === undefined ? name(template.subject) : embed(template.subjectDer),
    embed(template.publicKeyDer),
    asn1.create(asn1.Class.CONTEXT_SPECIFIC, 3, true, [
      sequence(extensions(template, signer.keyIdHex)),
    ]),
  ]);
  const signature = sign(algorithm.digest, toDer(tbs), signer.privateKey);
  return toDer(sequence([tbs, algorithm.identifier, bitString(signature)]));
}

/** DER of a template's subject; for a self-signed certificate also its issuer. */
export function toSubjectDer(subject: readonly NameAttribute[]): Buffer {
  return toDer(name(subject));
}

/**
 * The key identifier of a public key: the first 160 bits of the SHA-256 of its bit string
 * (RFC 7093 section 2, method 1).
 */
export function toKeyIdHex(publicKeyDer: Buffer): string {
  const parts = embed(publicKeyDer).value;
  const bits = Array.isArray(parts) ? parts[1]?.value : undefined;
  assert(typeof bits === 'string', 'a SubjectPublicKeyInfo has a bit string');
  // The first byte of a BIT STRING's content counts unused bits.
  const key = Buffer.from(bits, 'latin1').subarray(1);
  return createHash('sha256').update(key).digest('hex').slice(0, 40);
}

function extensions(template: CertificateTemplate, issuerKeyIdHex: string): Asn1[] {
  const keyIdHex = template.keyIdHex ?? toKeyIdHex(template.publicKeyDer);
  const keyId = octetString(Buffer.from(keyIdHex, 'hex'));
  const issuerKeyId = contextString(0, Buffer.from(issuerKeyIdHex, 'hex').toString('latin1'));
  const names = generalNames(template);
  const found = [
    extension('basicConstraints', basicConstraints(template), true),
    extension('keyUsage', keyUsageBits(template.keyUsage), true),
    extension('subjectKeyId', keyId, false),
    extension('authorityKeyId', sequence([issuerKeyId]), false),
  ];
  if (template.extendedKeyUsage.length > 0) {
    const usages = template.extendedKeyUsage.map((usage: ExtendedKeyUsage) => oid(OIDS[usage]));
    found.push(extension('extendedKeyUsage', sequence(usages), false));
  }
  if (names.length > 0) {
    // Critical exactly where the subject is empty (RFC 5280 4.2.1.6).
    found.push(extension('subjectAltName', sequence(names), template.subject.length === 0));
  }
  return found;
}

function extension(type: keyof typeof OIDS, value: Asn1, critical: boolean): Asn1 {
  const flag = critical
    ? [asn1.create(asn1.Class.UNIVERSAL, asn1.Type.BOOLEAN, false, '\xff')]
    : [];
  return sequence([oid(OIDS[type]), ...flag, octetString(toDer(value))]);
}

function basicConstraints(template: CertificateTemplate): Asn1 {
  // A default (cA false) is left out in DER.
  if (!template.isCa) return sequence([]);
  const isCa = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.BOOLEAN, false, '\xff');
  if (template.pathLength === undefined) return sequence([isCa]);
  return sequence([isCa, integer(Buffer.of(template.pathLength))]);
}

function keyUsageBits(usages: readonly KeyUsage[]): Asn1 {
  const byte = usages.reduce((bits, usage) => bits | (0x80 >> KEY_USAGE_BITS[usage]), 0);
  // DER leaves out a named bit list's trailing zero bits (X.690 11.2.2).
  const unused = byte === 0 ? 0 : Math.log2(byte & -byte);
  return bitString(Buffer.of(byte), unused);
}

function generalNames(template: CertificateTemplate): Asn1[] {
  return [
    ...template.uris.map((uri) => contextString(GENERAL_NAME.uri, uri)),
    ...template.dnsNames.map((dns) => contextString(GENERAL_NAME.dns, dns)),
    ...template.ips.map((ip) => contextString(GENERAL_NAME.ip, ipBytes(ip).toString('latin1'))),
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

function signatureAlgorithm(key: KeyObject): { digest: string; identifier: Asn1 } {
  if (key.asymmetricKeyType === 'rsa') {
    const nothing = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.NULL, false, '');
    return { digest: 'sha256', identifier: sequence([oid('1.2.840.113549.1.1.11'), nothing]) };
  }
  assert(key.asymmetricKeyType === 'ec', 'a signing key is EC or RSA');
  return key.asymmetricKeyDetails?.namedCurve === 'secp384r1'
    ? { digest: 'sha384', identifier: sequence([oid('1.2.840.10045.4.3.3')]) }
    : { digest: 'sha256', identifier: sequence([oid('1.2.840.10045.4.3.2')]) };
}

function name(attributes: readonly NameAttribute[]): Asn1 {
  return sequence(
    attributes.map(({ type, value }) => {
      const text = Buffer.from(value, 'utf8').toString('latin1');
      const string = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.UTF8, false, text);
      const pair = sequence([oid(OIDS[type]), string]);
      return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SET, true, [pair]);
    }),
  );
}

function time(timeMs: number): Asn1 {
  const digits = new Date(timeMs).toISOString().replace(/[-:T]|\.\d+/g, '');
  return timeMs < GENERALIZED_FROM_MS
    ? asn1.create(asn1.Class.UNIVERSAL, asn1.Type.UTCTIME, false, digits.slice(2))
    : asn1.create(asn1.Class.UNIVERSAL, asn1.Type.GENERALIZEDTIME, false, digits);
}

function sequence(parts: Asn1[]): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, parts);
}

function integer(bytes: Buffer): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.INTEGER, false, bytes.toString('latin1'));
}

function oid(dotted: string): Asn1 {
  const bytes = asn1.oidToDer(dotted).getBytes();
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OID, false, bytes);
}

function octetString(bytes: Buffer): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OCTETSTRING, false, bytes.toString('latin1'));
}

function bitString(bytes: Buffer, unusedBits = 0): Asn1 {
  const content = Buffer.concat([Buffer.of(unusedBits), bytes]).toString('latin1');
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.BITSTRING, false, content);
}

function contextString(tag: number, content: string): Asn1 {
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, false, content);
}

/** DER that stands as it is within a larger structure. */
function embed(der: Buffer): Asn1 {
  const options = { strict: true, parseAllBytes: true, decodeBitStrings: false };
  return asn1.fromDer(der.toString('latin1'), options);
}

function toDer(value: Asn1): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), 'latin1');
}
