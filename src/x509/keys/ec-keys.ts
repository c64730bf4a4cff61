// EC keys, made by node:crypto and put into their standard encodings here. To have OpenSSL 3 encode
// a key, or read one, takes several times as long as to make one (measured: 250 and 550 µs beside
// 30 µs), and the encodings are a few constant bytes around the numbers. So ECDH makes the numbers
// (one EC key is as good for ECDSA), and reading back is the strict reader's part, which shares
// nothing with the writer: the public point is derived again from the private number.
// Structure: RFC 5208 section 5 and RFC 5915 section 3 (PKCS #8), RFC 5480 section 2 (public keys).

import { createECDH, type ECDH } from 'node:crypto';
import { MeshError } from '../../base/index.js';
import type { KeyType } from '../../spiffe/index.js';
import {
  contentOf,
  type DerValue,
  readBitString,
  readChildren,
  readDer,
  readNumber,
  readOid,
  TAG,
} from '../der/der-reader.js';
import {
  derBitString,
  derContext,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
} from '../der/der-writer.js';
import { CURVE_OID, KEY_OID } from '../der/oids.js';
import { readPemBlock, toPemBlock } from '../der/pem.js';

export type EcKeyType = Extract<KeyType, `ecdsa-${string}`>;

const CURVES = {
  'ecdsa-p256': { name: 'prime256v1', oid: CURVE_OID.p256, bytes: 32 },
  'ecdsa-p384': { name: 'secp384r1', oid: CURVE_OID.p384, bytes: 48 },
} as const;

interface Parts {
  /** AlgorithmIdentifier, DER. */
  readonly algorithmDer: Buffer;
  readonly curve: (typeof CURVES)[EcKeyType];
  /**
   * Used anew for each key: to make one costs as much as a key. It keeps the last key until then,
   * which the strings that hold it outlive in any case.
   */
  readonly pair: ECDH;
}

const PARTS: Readonly<Record<EcKeyType, Parts>> = {
  'ecdsa-p256': toParts('ecdsa-p256'),
  'ecdsa-p384': toParts('ecdsa-p384'),
};
const PKCS8_VERSION = derInteger(Buffer.of(0));
const EC_KEY_VERSION = derInteger(Buffer.of(1));

/** A new pair from the system's randomness. */
export function generateEcKeys(type: EcKeyType): {
  readonly privateKeyPem: string;
  readonly publicKeyDer: Buffer;
} {
  const { algorithmDer, curve, pair } = PARTS[type];
  const point = derBitString(pair.generateKeys());
  // Without zero bytes at its front, which the encoding has.
  const digits = pair.getPrivateKey();
  const number = Buffer.concat([Buffer.alloc(curve.bytes - digits.length), digits]);
  const key = derSequence(EC_KEY_VERSION, derOctetString(number), derContext(1, point));
  const der = derSequence(PKCS8_VERSION, algorithmDer, derOctetString(key));
  return {
    privateKeyPem: toPemBlock('PRIVATE KEY', der),
    publicKeyDer: derSequence(algorithmDer, point),
  };
}

/**
 * The public key (SubjectPublicKeyInfo, DER) that follows from an EC private key's number, which
 * must be encoded as we do; undefined: it is something else, for OpenSSL to judge. Nothing thrown
 * here says anything of the key.
 */
export function tryDerivePublicKey(privateKeyPem: string): Buffer | undefined {
  const der = readPemBlock('PRIVATE KEY', privateKeyPem);
  if (der === undefined) return undefined;
  try {
    return derivePublicKey(der);
  } catch (error) {
    if (error instanceof MeshError) return undefined;
    throw error;
  }
}

function derivePublicKey(der: Buffer): Buffer | undefined {
  const [version, algorithm, inner, ...more] = readChildren(readDer(der), TAG.sequence);
  if (algorithm === undefined || more.length > 0 || !isNumber(version, 0)) return undefined;
  const type = readKeyType(algorithm);
  if (type === undefined) return undefined;
  const key = readChildren(readDer(contentOf(inner, TAG.octetString)), TAG.sequence);
  const [keyVersion, number, tagged, ...rest] = key;
  if (tagged === undefined || rest.length > 0 || !isNumber(keyVersion, 1)) return undefined;
  const { curve, pair } = PARTS[type];
  const digits = contentOf(number, TAG.octetString);
  if (digits.length !== curve.bytes) return undefined;
  const point = tryDerivePoint(pair, digits);
  const [stored, ...others] = readChildren(tagged, 0xa1);
  const { unusedBits, bytes } = readBitString(stored);
  if (point === undefined || others.length > 0 || unusedBits !== 0) return undefined;
  if (!bytes.equals(point)) return undefined;
  return derSequence(algorithm.der, stored?.der ?? Buffer.alloc(0));
}

function readKeyType(algorithm: { readonly der: Buffer }): EcKeyType | undefined {
  const [oid, curve, ...more] = readChildren(readDer(algorithm.der), TAG.sequence);
  if (readOid(oid) !== KEY_OID.ec || more.length > 0) return undefined;
  const curveOid = readOid(curve);
  if (curveOid === CURVES['ecdsa-p256'].oid) return 'ecdsa-p256';
  return curveOid === CURVES['ecdsa-p384'].oid ? 'ecdsa-p384' : undefined;
}

/** Undefined where the number is none of that curve. */
function tryDerivePoint(pair: ECDH, number: Buffer): Buffer | undefined {
  try {
    pair.setPrivateKey(number);
    return pair.getPublicKey();
  } catch {
    return undefined;
  }
}

function isNumber(value: DerValue | undefined, number: number): boolean {
  return readNumber(value) === number;
}

function toParts(type: EcKeyType): Parts {
  const curve = CURVES[type];
  const algorithmDer = derSequence(derOid(KEY_OID.ec), derOid(curve.oid));
  return { curve, algorithmDer, pair: createECDH(curve.name) };
}
