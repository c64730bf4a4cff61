// Key pairs, made by node:crypto. Generation is a parameter (`KeySource`) wherever it is used, so
// that tests bring their own keys.
import { createHash, generateKeyPair } from 'node:crypto';
import type { KeyType } from '../../spiffe/index.js';
import { generateEcKeys } from './ec-keys.js';

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

const MODULUS_BITS = { 'rsa-2048': 2048, 'rsa-3072': 3072 } as const;

/** A new pair from the system's randomness; RSA off the main thread, as it takes a while. */
export const generateKeys: KeySource = (type) =>
  type === 'ecdsa-p256' || type === 'ecdsa-p384'
    ? Promise.resolve(generateEcKeys(type))
    : new Promise((done, failed) => {
        const options = { modulusLength: MODULUS_BITS[type], ...ENCODINGS };
        generateKeyPair('rsa', options, (error, publicKeyDer, privateKeyPem) =>
          error === null ? done({ privateKeyPem, publicKeyDer }) : failed(error),
        );
      });

/** SHA-256 of the bytes, lower-case hex. */
export function sha256Hex(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
