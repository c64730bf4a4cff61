// A certificate request (PKCS #10) that somebody sent, read strictly and checked: its signature by
// the very key that it asks a certificate for proves that the sender holds that key. Nothing else
// in it decides anything. Who the sender is was proved elsewhere; subject and extensions are read
// past, but for URI names: a request for another identity is refused, since whoever sent it expects
// another certificate than it would get (Istio's clients name their own SPIFFE ID there).
// Structure: RFC 2986 section 4; algorithms: RFC 5758 section 3.2, RFC 4055 section 5.
import { verify } from 'node:crypto';
import { MeshError } from '../../base/index.js';
import type { SpiffeId } from '../../spiffe/index.js';
import {
  contentOf,
  type DerValue,
  readBitString,
  readChildren,
  readDer,
  readOid,
  TAG,
} from '../der/der-reader.js';
import { EXTENSION_OID, EXTENSION_REQUEST_OID, SIGNATURE_OID } from '../der/oids.js';
import { readOnlyPemBlock } from '../der/pem.js';
import { readExtensionList, readNames } from './certificate-reader.js';
import { type CertifiableKey, readCertifiableKey } from './csr-key.js';

export interface CertificateRequest {
  readonly der: Buffer;
  /** SubjectPublicKeyInfo, DER; the sender holds its private key. */
  readonly publicKeyDer: Buffer;
  /** URI names that it asks for: claims, nothing more. */
  readonly uris: readonly string[];
}

/** Of PEM or DER. Larger ones are refused unread; one of a 4096-bit RSA key has about 1,700. */
export const MAX_CSR_BYTES = 16 * 1024;

/** The second is what old Windows tools write. */
const PEM_LABELS = ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'] as const;
const SET_TAG = 0x31;
const NULL_TAG = 0x05;
const ATTRIBUTES_TAG = 0xa0;

interface Algorithm {
  readonly kind: CertifiableKey['kind'];
  readonly digest: 'sha256' | 'sha384' | 'sha512';
}

const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  [SIGNATURE_OID.ecdsaSha256, { kind: 'ec', digest: 'sha256' }],
  [SIGNATURE_OID.ecdsaSha384, { kind: 'ec', digest: 'sha384' }],
  [SIGNATURE_OID.ecdsaSha512, { kind: 'ec', digest: 'sha512' }],
  [SIGNATURE_OID.rsaSha256, { kind: 'rsa', digest: 'sha256' }],
  [SIGNATURE_OID.rsaSha384, { kind: 'rsa', digest: 'sha384' }],
  [SIGNATURE_OID.rsaSha512, { kind: 'rsa', digest: 'sha512' }],
]);
const ACCEPTED = 'a signature by ECDSA or RSA (PKCS #1) with SHA-256, SHA-384 or SHA-512';
const REFUSED: ReadonlyMap<string, string> = new Map([
  [SIGNATURE_OID.rsaMd5, 'RSA with MD5'],
  [SIGNATURE_OID.rsaSha1, 'RSA with SHA-1'],
  [SIGNATURE_OID.rsaSha224, 'RSA with SHA-224'],
  [SIGNATURE_OID.rsassaPss, 'RSASSA-PSS'],
  [SIGNATURE_OID.ecdsaSha1, 'ECDSA with SHA-1'],
  [SIGNATURE_OID.ecdsaSha224, 'ECDSA with SHA-224'],
  [SIGNATURE_OID.dsaSha1, 'DSA with SHA-1'],
  [SIGNATURE_OID.dsaSha256, 'DSA with SHA-256'],
  [SIGNATURE_OID.ed25519, 'Ed25519'],
  [SIGNATURE_OID.ed448, 'Ed448'],
]);

/** @throws MeshError csr-invalid; resource-limit for one of more than MAX_CSR_BYTES */
export function readCsr(request: string | Buffer): CertificateRequest {
  const size = Buffer.byteLength(request);
  if (size > MAX_CSR_BYTES) {
    const got = `expected at most ${MAX_CSR_BYTES} bytes but got ${size}`;
    throw new MeshError('resource-limit', `certificate request: ${got}`);
  }
  try {
    return read(typeof request === 'string' ? fromPem(request) : toDer(request));
  } catch (error) {
    // The reader of DER knows only certificates.
    if (!(error instanceof MeshError) || error.code !== 'certificate-invalid') throw error;
    throw invalid(error.message);
  }
}

/**
 * Sees to it that a request doesn't ask for another identity than the one that was proved.
 * @throws MeshError csr-wrong-identity
 */
export function assertIdentity({ uris }: CertificateRequest, spiffeId: SpiffeId): void {
  if (uris.every((uri) => uri === spiffeId)) return;
  const message = `expected a certificate request for ${spiffeId} but it names another identity`;
  throw new MeshError('csr-wrong-identity', message, {
    hint: 'name that one, or none: the identity comes from the token or certificate shown',
  });
}

function read(der: Buffer): CertificateRequest {
  const [info, algorithm, signature, ...more] = readChildren(readDer(der), TAG.sequence);
  if (info === undefined || more.length > 0) throw invalid('expected its three parts');
  const [version, subject, spki, attributes, ...others] = readChildren(info, TAG.sequence);
  if (!subject || !spki || attributes?.tag !== ATTRIBUTES_TAG || others.length > 0) {
    throw invalid('expected version, subject, public key and attributes');
  }
  if (!contentOf(version, TAG.integer).equals(Buffer.of(0))) throw invalid('expected version 0');
  // What it holds doesn't matter; that it is a list of names does.
  for (const name of readChildren(subject, TAG.sequence)) readChildren(name, SET_TAG);
  const uris = readUris(attributes);
  checkPossession({ info, algorithm, signature, key: readCertifiableKey(spki) });
  return { der, publicKeyDer: spki.der, uris };
}

function checkPossession(parts: {
  readonly info: DerValue;
  readonly algorithm: DerValue | undefined;
  readonly signature: DerValue | undefined;
  readonly key: CertifiableKey;
}): void {
  const { info, key } = parts;
  const { kind, digest } = readAlgorithm(parts.algorithm);
  const { unusedBits, bytes } = readBitString(parts.signature);
  const isProved = kind === key.kind && unusedBits === 0 && isSignature(bytes);
  if (!isProved) throw invalid('expected a signature by the key that it is for but got another');

  function isSignature(signature: Buffer): boolean {
    try {
      return verify(digest, info.der, key.key, signature);
    } catch {
      return false;
    }
  }
}

function readAlgorithm(value: DerValue | undefined): Algorithm {
  const [oidValue, parameters, ...more] = value ? readChildren(value, TAG.sequence) : [];
  const oid = readOid(oidValue);
  const algorithm = ALGORITHMS.get(oid);
  if (algorithm === undefined) {
    const got = REFUSED.get(oid) ?? `algorithm ${oid}`;
    throw invalid(`expected ${ACCEPTED} but got ${got}`);
  }
  // RFC 4055 section 5 has NULL with RSA and asks readers to take its absence too.
  const isNull = parameters?.tag === NULL_TAG && parameters.content.length === 0;
  const isGood = parameters === undefined || (algorithm.kind === 'rsa' && isNull);
  if (!isGood || more.length > 0) throw invalid('expected an algorithm without parameters');
  return algorithm;
}

/** URI names in the subjectAltName of the extension request, if there is one. */
function readUris(attributes: DerValue): readonly string[] {
  let uris: readonly string[] | undefined;
  for (const attribute of readChildren(attributes)) {
    const [oidValue, values, ...more] = readChildren(attribute, TAG.sequence);
    if (values?.tag !== SET_TAG || more.length > 0) throw invalid('expected a set of values');
    const [list, ...others] = readChildren(values);
    if (readOid(oidValue) !== EXTENSION_REQUEST_OID) continue;
    if (uris !== undefined || list === undefined || others.length > 0) {
      throw invalid('expected at most one list of extensions but got more');
    }
    uris = readNames(readExtensionList(list).get(EXTENSION_OID.subjectAltName)).uris;
  }
  return uris ?? [];
}

function toDer(bytes: Buffer): Buffer {
  return bytes[0] === TAG.sequence ? bytes : fromPem(bytes.toString('latin1'));
}

function fromPem(text: string): Buffer {
  const der = readOnlyPemBlock(PEM_LABELS, text);
  if (der !== undefined) return der;
  throw invalid('expected one PEM block "CERTIFICATE REQUEST" and nothing else but got other text');
}

function invalid(what: string): MeshError {
  return new MeshError('csr-invalid', `certificate request: ${what}`, {
    hint: 'make one with `openssl req -new` or the library of your language',
  });
}
