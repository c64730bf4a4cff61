// The object identifiers that X.509 uses, each written once. Numbers only: the readers share no
// code with the writers, so that a fault in one can't excuse itself in the other, but a number of a
// standard that both got wrong would be noticed by every other verifier.

/** AttributeType of a name (RFC 5280 appendix A.1). */
export const NAME_OID = { commonName: '2.5.4.3', organization: '2.5.4.10' } as const;

/** Extensions that our certificates have, and every verifier knows (RFC 5280 4.2.1). */
export const EXTENSION_OID = {
  keyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  issuerKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const;

/** Those of others' CAs (RFC 5280 4.2.1). */
export const OTHER_EXTENSION_OID = {
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  policyConstraints: '2.5.29.36',
  inhibitAnyPolicy: '2.5.29.54',
} as const;

/** Of revocation lists (RFC 5280 5.2.3). */
export const CRL_NUMBER_OID = '2.5.29.20';

/** Of requests (RFC 2985 5.4.2). */
export const EXTENSION_REQUEST_OID = '1.2.840.113549.1.9.14';

/** Extended key usages (RFC 5280 4.2.1.12). */
export const USAGE_OID = {
  any: '2.5.29.37.0',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** Algorithms of public keys (RFC 3279 2.3, RFC 5480, RFC 8410). */
export const KEY_OID = {
  ec: '1.2.840.10045.2.1',
  rsa: '1.2.840.113549.1.1.1',
  rsassaPss: '1.2.840.113549.1.1.10',
  dsa: '1.2.840.10040.4.1',
  diffieHellman: '1.2.840.10046.2.1',
  x25519: '1.3.101.110',
  x448: '1.3.101.111',
  ed25519: '1.3.101.112',
  ed448: '1.3.101.113',
} as const;

/** Named curves (RFC 5480 2.1.1.1). */
export const CURVE_OID = {
  p192: '1.2.840.10045.3.1.1',
  p224: '1.3.132.0.33',
  p256: '1.2.840.10045.3.1.7',
  p384: '1.3.132.0.34',
  p521: '1.3.132.0.35',
  secp256k1: '1.3.132.0.10',
} as const;

/** Algorithms of signatures (RFC 3279 2.2, RFC 4055 5, RFC 5758 3). */
export const SIGNATURE_OID = {
  rsaMd2: '1.2.840.113549.1.1.2',
  rsaMd5: '1.2.840.113549.1.1.4',
  rsaSha1: '1.2.840.113549.1.1.5',
  rsaSha224: '1.2.840.113549.1.1.14',
  rsaSha256: '1.2.840.113549.1.1.11',
  rsaSha384: '1.2.840.113549.1.1.12',
  rsaSha512: '1.2.840.113549.1.1.13',
  rsassaPss: KEY_OID.rsassaPss,
  ecdsaSha1: '1.2.840.10045.4.1',
  ecdsaSha224: '1.2.840.10045.4.3.1',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  ecdsaSha384: '1.2.840.10045.4.3.3',
  ecdsaSha512: '1.2.840.10045.4.3.4',
  dsaSha1: '1.2.840.10040.4.3',
  dsaSha256: '2.16.840.1.101.3.4.3.2',
  ed25519: KEY_OID.ed25519,
  ed448: KEY_OID.ed448,
} as const;
