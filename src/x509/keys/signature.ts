// How a certificate, a request or a revocation list is signed: `SEQUENCE { what is signed, its
// algorithm, the signature }` (RFC 5280 4.1.1, 5.1.1; RFC 2986 4.2). The algorithm follows from the
// key alone: SHA-384 for P-384, else SHA-256. The signature is node:crypto's.
// Identifiers: RFC 5758 section 3.2 (ECDSA, without parameters), RFC 4055 section 5 (RSA, NULL).
import assert from 'node:assert';
import { type KeyObject, sign, verify } from 'node:crypto';
import { DER_NULL, derBitString, derOid, derSequence } from '../der/der-writer.js';
import { SIGNATURE_OID } from '../der/oids.js';

export interface SignatureAlgorithm {
  readonly digest: 'sha256' | 'sha384';
  /** AlgorithmIdentifier, DER. */
  readonly identifierDer: Buffer;
}

const RSA_SHA256: SignatureAlgorithm = {
  digest: 'sha256',
  identifierDer: derSequence(derOid(SIGNATURE_OID.rsaSha256), DER_NULL),
};
const ECDSA_SHA256: SignatureAlgorithm = {
  digest: 'sha256',
  identifierDer: derSequence(derOid(SIGNATURE_OID.ecdsaSha256)),
};
const ECDSA_SHA384: SignatureAlgorithm = {
  digest: 'sha384',
  identifierDer: derSequence(derOid(SIGNATURE_OID.ecdsaSha384)),
};

/** How this key signs; private or public. */
export function signatureAlgorithm(key: KeyObject): SignatureAlgorithm {
  if (key.asymmetricKeyType === 'rsa') return RSA_SHA256;
  assert(key.asymmetricKeyType === 'ec', 'a signing key is EC or RSA');
  const isP384 = key.asymmetricKeyDetails?.namedCurve === 'secp384r1';
  return isP384 ? ECDSA_SHA384 : ECDSA_SHA256;
}

/** `tbsDer`, which must name `signatureAlgorithm(privateKey)` itself, with its signature. */
export function signDer(tbsDer: Buffer, privateKey: KeyObject): Buffer {
  const { digest, identifierDer } = signatureAlgorithm(privateKey);
  const signature = sign(digest, tbsDer, privateKey);
  return derSequence(tbsDer, identifierDer, derBitString(signature));
}

/** The parts of what `signDer` makes, as a reader finds them. */
export interface Signed {
  /** What is signed. */
  readonly tbsDer: Buffer;
  readonly signature: Buffer;
  /** AlgorithmIdentifier, DER: beside what is signed, and within it. */
  readonly signatureAlgorithmDer: Buffer;
  readonly signedAlgorithmDer: Buffer;
}

/**
 * Whether the key made the signature; undefined: by another algorithm than we use with that key, so
 * that OpenSSL must judge. RFC 5280 4.1.1.2: what is signed names the algorithm too.
 */
export function verifyDer(signed: Signed, publicKey: KeyObject): boolean | undefined {
  const { tbsDer, signature, signatureAlgorithmDer, signedAlgorithmDer } = signed;
  if (!signatureAlgorithmDer.equals(signedAlgorithmDer)) return false;
  const type = publicKey.asymmetricKeyType;
  if (type !== 'rsa' && type !== 'ec') return undefined;
  const { digest, identifierDer } = signatureAlgorithm(publicKey);
  if (!signatureAlgorithmDer.equals(identifierDer)) return undefined;
  return verify(digest, tbsDer, publicKey, signature);
}
