// Which public keys may be certified for others: EC P-256 or P-384 and RSA of 2048 to 4096 bits.
// The form is held to the one that every verifier reads alike (a named curve, an uncompressed
// point, minimal integers), since these very bytes go into the certificate. The mathematics is
// node:crypto's: it refuses a point that isn't on its curve.
// Structure: RFC 5480 section 2, RFC 3279 section 2.3.1.
import { createPublicKey, type KeyObject } from 'node:crypto';
import { MeshError } from '../../base/index.js';
import {
  contentOf,
  type DerValue,
  readBitString,
  readChildren,
  readDer,
  readOid,
  TAG,
} from '../der/der-reader.js';
import { CURVE_OID, KEY_OID } from '../der/oids.js';

export interface CertifiableKey {
  readonly kind: 'ec' | 'rsa';
  readonly key: KeyObject;
}

const ACCEPTED = 'an EC P-256, EC P-384 or RSA key of 2048 to 4096 bits';
const NULL_TAG = 0x05;
/** Of those accepted: bytes of a coordinate. */
const CURVES: ReadonlyMap<string, number> = new Map([
  [CURVE_OID.p256, 32],
  [CURVE_OID.p384, 48],
]);
const REFUSED: ReadonlyMap<string, string> = new Map([
  [KEY_OID.rsassaPss, 'an RSASSA-PSS key'],
  [KEY_OID.dsa, 'a DSA key'],
  [KEY_OID.diffieHellman, 'a Diffie-Hellman key'],
  [KEY_OID.x25519, 'an X25519 key'],
  [KEY_OID.x448, 'an X448 key'],
  [KEY_OID.ed25519, 'an Ed25519 key'],
  [KEY_OID.ed448, 'an Ed448 key'],
  [CURVE_OID.p192, 'a key on curve P-192'],
  [CURVE_OID.p224, 'a key on curve P-224'],
  [CURVE_OID.p521, 'a key on curve P-521'],
  [CURVE_OID.secp256k1, 'a key on curve secp256k1'],
]);
const UNCOMPRESSED = 0x04;
const RSA_BITS = { min: 2048, max: 4096 } as const;
/** Go's crypto/rsa reads no larger one, and a very large one makes each check slow. */
const RSA_EXPONENT = { min: 3n, max: 2n ** 31n - 1n } as const;

/** @throws MeshError csr-invalid, certificate-invalid (not DER) */
export function readCertifiableKey(spki: DerValue): CertifiableKey {
  const [algorithm, bits, ...more] = readChildren(spki, TAG.sequence);
  if (algorithm === undefined || more.length > 0) throw refused('other bytes');
  const [oidValue, parameters, ...others] = readChildren(algorithm, TAG.sequence);
  const oid = readOid(oidValue);
  if (others.length > 0) throw refused('other bytes');
  const { unusedBits, bytes: encoded } = readBitString(bits);
  if (unusedBits !== 0) throw refused('a key that is no whole number of bytes');
  if (oid === KEY_OID.ec) checkPoint(parameters, encoded);
  else if (oid === KEY_OID.rsa) checkRsaForm(parameters, encoded);
  else throw refused(REFUSED.get(oid) ?? `a key of algorithm ${oid}`);
  const key = toKey(spki.der);
  if (oid === KEY_OID.rsa) checkRsa(key);
  return { kind: oid === KEY_OID.ec ? 'ec' : 'rsa', key };
}

function checkPoint(parameters: DerValue | undefined, point: Buffer): void {
  if (parameters?.tag !== TAG.oid) throw refused('an EC key without a named curve');
  const curve = readOid(parameters);
  const size = CURVES.get(curve);
  if (size === undefined) throw refused(REFUSED.get(curve) ?? `a key on curve ${curve}`);
  if (point[0] !== UNCOMPRESSED || point.length !== 1 + 2 * size) {
    throw refused('an EC key whose point is not in its uncompressed form');
  }
}

function checkRsaForm(parameters: DerValue | undefined, encoded: Buffer): void {
  if (parameters?.tag !== NULL_TAG || parameters.content.length > 0) {
    throw refused('an RSA key with parameters');
  }
  const [modulus, exponent, ...more] = readChildren(readDer(encoded), TAG.sequence);
  if (more.length > 0) throw refused('other bytes');
  for (const number of [modulus, exponent]) checkPositive(contentOf(number, TAG.integer));
}

/** A positive INTEGER in its shortest form. */
function checkPositive([first, second = 0]: Buffer): void {
  const isPositive = first !== undefined && first < 0x80;
  if (isPositive && (first !== 0 || second >= 0x80)) return;
  throw refused('an RSA key whose numbers are not positive or not in their shortest form');
}

function checkRsa(key: KeyObject): void {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < RSA_BITS.min || modulusLength > RSA_BITS.max) {
    throw refused(`an RSA key of ${modulusLength} bits`);
  }
  const { min, max } = RSA_EXPONENT;
  if (publicExponent >= min && publicExponent <= max && publicExponent % 2n === 1n) return;
  throw refused(`an RSA key whose exponent is not an odd number from ${min} to ${max}`);
}

function toKey(der: Buffer): KeyObject {
  try {
    return createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch {
    throw refused('one that is no such key, such as a point that is not on its curve');
  }
}

function refused(got: string): MeshError {
  return new MeshError('csr-invalid', `certificate request: expected ${ACCEPTED} but got ${got}`);
}
