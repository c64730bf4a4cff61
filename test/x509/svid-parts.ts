// A good leaf and a good signing certificate, field by field, for rows that break one.
import { derInteger } from '../../src/x509/der/der-writer.js';
import { toKeyIdHex, toSubjectDer } from '../../src/x509/issue/sign.js';
import { generateEcKeys } from '../../src/x509/keys/ec-keys.js';
import {
  DER_TRUE,
  derTime,
  ECDSA_SHA256,
  EMPTY,
  EXTENSIONS,
  GENERAL_NAME,
  type RawCertificate,
  type RawExtension,
  VERSION_3,
} from './raw-certificate.js';
import { WEB } from './tools.js';

export const NOW_MS = Date.UTC(2026, 0, 1, 12);
export const HOUR_MS = 3_600_000;
export const DIGITAL_SIGNATURE = 0;
export const KEY_CERT_SIGN = 5;
export const CRL_SIGN = 6;
export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
export const TRUST_DOMAIN = 'spiffe://shop.example';

export const caKeys = generateEcKeys('ecdsa-p256');
export const leafKeys = generateEcKeys('ecdsa-p256');
export const caKeyId = toKeyIdHex(caKeys.publicKeyDer);
export const leafKeyId = toKeyIdHex(leafKeys.publicKeyDer);
const caName = toSubjectDer([{ type: 'CN', value: 'rules' }]);

export type Extensions = Readonly<Record<string, RawExtension>>;

const COMMON = {
  version: VERSION_3,
  innerAlgorithm: ECDSA_SHA256,
  outerAlgorithm: ECDSA_SHA256,
  issuer: caName,
  unusedBits: 0,
} as const;

export const CA: Omit<RawCertificate, 'extensions'> = {
  ...COMMON,
  serial: derInteger(Buffer.from('4011223344556677', 'hex')),
  notBefore: derTime(NOW_MS - HOUR_MS),
  notAfter: derTime(NOW_MS + 100 * HOUR_MS),
  subject: caName,
  publicKey: caKeys.publicKeyDer,
};
export const CA_EXTENSIONS: Extensions = {
  constraints: EXTENSIONS.basicConstraints(DER_TRUE, derInteger(Buffer.of(0))),
  usage: EXTENSIONS.keyUsage(KEY_CERT_SIGN, CRL_SIGN),
  keyId: EXTENSIONS.keyId(caKeyId),
  issuerKeyId: EXTENSIONS.issuerKeyId(caKeyId),
  names: { ...EXTENSIONS.names(GENERAL_NAME.uri(TRUST_DOMAIN)), critical: false },
};

export const LEAF: Omit<RawCertificate, 'extensions'> = {
  ...COMMON,
  serial: derInteger(Buffer.from('4111223344556677', 'hex')),
  notBefore: derTime(NOW_MS - 300_000),
  notAfter: derTime(NOW_MS + HOUR_MS),
  subject: EMPTY,
  publicKey: leafKeys.publicKeyDer,
};
export const LEAF_EXTENSIONS: Extensions = {
  constraints: EXTENSIONS.basicConstraints(),
  usage: EXTENSIONS.keyUsage(DIGITAL_SIGNATURE),
  keyId: EXTENSIONS.keyId(leafKeyId),
  issuerKeyId: EXTENSIONS.issuerKeyId(caKeyId),
  extendedUsage: EXTENSIONS.extendedKeyUsage(SERVER_AUTH, CLIENT_AUTH),
  names: EXTENSIONS.names(GENERAL_NAME.uri(WEB), GENERAL_NAME.dns('web')),
};
