// Key pairs, made by node:crypto. The pair is asked for in its encoded forms at once: exporting a
// KeyObject afterwards costs more than making the key. Generation is a parameter (`KeySource`)
// wherever it is used, so that tests bring their own keys.
import { createHash, generateKeyPair } from 'node:crypto';

export type KeyType = 'ecdsa-p256' | 'ecdsa-p384' | 'rsa-2048' | 'rsa-3072';

export interface KeyPair {
  /** PKCS #8. Never logged, never part of an error. */
  readonly privateKeyPem: string;
  /** SubjectPublicKeyInfo, DER (RFC 5280 4.1). */
  readonly publicKeyDer: Buffer;
}

export type KeySource = (type: KeyType) => Promise<KeyPair>;

const ENCODINGS = {
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
} as const;

const CURVES = { 'ecdsa-p256': 'P-256', 'ecdsa-p384': 'P-384' } as const;
const MODULUS_BITS = { 'rsa-2048': 2048, 'rsa-3072': 3072 } as const;

/** A new pair from the system's randomness, made off the main thread (an RSA key takes a while). */
export const generateKeys: KeySource = (type) =>
  new Promise((done, failed) => {
    const finish = (error: Error | null, publicKeyDer: Buffer, privateKeyPem: string): void =>
      error === null ? done({ privateKeyPem, publicKeyDer }) : failed(error);
    if (type === 'ecdsa-p256' || type === 'ecdsa-p384') {
      generateKeyPair('ec', { namedCurve: CURVES[type], ...ENCODINGS }, finish);
    } else {
      generateKeyPair('rsa', { modulusLength: MODULUS_BITS[type], ...ENCODINGS }, finish);
    }
  });

/** SHA-256 of the bytes, lower-case hex. */
export function sha256Hex(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
