// Certificates put together field by field, so that each can be wrong: what a CA of others, or a
// fault in our encoder, could come up with. Signed by the given key in any case.
import { createPrivateKey, sign } from 'node:crypto';
import {
  DER_TRUE,
  derBitString,
  derContext,
  derContextPrimitive,
  derInteger,
  derNamedBits,
  derOctetString,
  derOid,
  derSequence,
  derTime,
  derValue,
} from '../../src/x509/der/der-writer.js';

export interface RawExtension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Buffer;
}

/** DER of each field. */
export interface RawCertificate {
  /** Undefined: left out, which means version 1. */
  readonly version: Buffer | undefined;
  readonly serial: Buffer;
  readonly innerAlgorithm: Buffer;
  readonly outerAlgorithm: Buffer;
  readonly issuer: Buffer;
  readonly notBefore: Buffer;
  readonly notAfter: Buffer;
  readonly subject: Buffer;
  readonly publicKey: Buffer;
  readonly extensions: readonly RawExtension[];
  /** Unused bits that the signature says it has. */
  readonly unusedBits: number;
}

export const ECDSA_SHA256 = derSequence(derOid('1.2.840.10045.4.3.2'));
export const ECDSA_SHA384 = derSequence(derOid('1.2.840.10045.4.3.3'));
export const VERSION_3 = derContext(0, derInteger(Buffer.of(2)));
export const EMPTY = derSequence();

export const GENERAL_NAME = {
  email: (text: string) => derContextPrimitive(1, Buffer.from(text)),
  dns: (text: string) => derContextPrimitive(2, Buffer.from(text)),
  uri: (text: string) => derContextPrimitive(6, Buffer.from(text)),
};

export const EXTENSIONS = {
  basicConstraints: (...parts: readonly Buffer[]): RawExtension => ({
    oid: '2.5.29.19',
    critical: true,
    value: derSequence(...parts),
  }),
  keyUsage: (...bits: readonly number[]): RawExtension => ({
    oid: '2.5.29.15',
    critical: true,
    value: derNamedBits(bits),
  }),
  keyId: (hex: string): RawExtension => ({
    oid: '2.5.29.14',
    critical: false,
    value: derOctetString(Buffer.from(hex, 'hex')),
  }),
  issuerKeyId: (hex: string): RawExtension => ({
    oid: '2.5.29.35',
    critical: false,
    value: derSequence(derContextPrimitive(0, Buffer.from(hex, 'hex'))),
  }),
  extendedKeyUsage: (...oids: readonly string[]): RawExtension => ({
    oid: '2.5.29.37',
    critical: false,
    value: derSequence(...oids.map(derOid)),
  }),
  names: (...names: readonly Buffer[]): RawExtension => ({
    oid: '2.5.29.17',
    critical: true,
    value: derSequence(...names),
  }),
};

/** A time as the other of X.509's two forms. */
export const generalizedTime = (digits: string): Buffer => derValue(0x18, Buffer.from(digits));
export const utcTime = (digits: string): Buffer => derValue(0x17, Buffer.from(digits));
export { DER_TRUE, derTime };

export function signRaw(raw: RawCertificate, privateKeyPem: string): Buffer {
  const extensions = raw.extensions.map(({ oid, critical, value }) =>
    derSequence(derOid(oid), ...(critical ? [DER_TRUE] : []), derOctetString(value)),
  );
  const tbs = derSequence(
    ...(raw.version === undefined ? [] : [raw.version]),
    raw.serial,
    raw.innerAlgorithm,
    raw.issuer,
    derSequence(raw.notBefore, raw.notAfter),
    raw.subject,
    raw.publicKey,
    ...(extensions.length === 0 ? [] : [derContext(3, derSequence(...extensions))]),
  );
  const signature = sign('sha256', tbs, createPrivateKey(privateKeyPem));
  return derSequence(tbs, raw.outerAlgorithm, derBitString(signature, raw.unusedBits));
}
