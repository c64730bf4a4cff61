// A certificate revocation list, as plain data and as signed DER (RFC 5280 section 5.1). Like a
// certificate it is template → sign → re-parse → validate: nothing is decided here, and `crl.ts`
// reads back what this wrote before anybody sees it.
import assert from 'node:assert';
import { type KeyObject, sign } from 'node:crypto';
import {
  DER_NULL,
  derBitString,
  derContext,
  derContextPrimitive,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
  derTime,
} from '../der/der-writer.js';
import type { CrlEntry } from '../read/index.js';

export interface CrlTemplate {
  /** Grows from one list of an issuer to the next (RFC 5280 5.2.3). */
  readonly number: number;
  /** Whole seconds. */
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
  /** At least one. */
  readonly entries: readonly CrlEntry[];
}

export interface CrlSigner {
  /** Byte for byte the subject of the issuer's certificate. */
  readonly subjectDer: Buffer;
  readonly keyIdHex: string;
  readonly privateKey: KeyObject;
}

const VERSION_2 = derInteger(Buffer.of(1));
const ISSUER_KEY_ID = derOid('2.5.29.35');
const CRL_NUMBER = derOid('2.5.29.20');

/** RFC 5758 section 3.2, RFC 4055 section 5. */
const ALGORITHMS = {
  rsa: { digest: 'sha256', identifier: derSequence(derOid('1.2.840.113549.1.1.11'), DER_NULL) },
  p256: { digest: 'sha256', identifier: derSequence(derOid('1.2.840.10045.4.3.2')) },
  p384: { digest: 'sha384', identifier: derSequence(derOid('1.2.840.10045.4.3.3')) },
} as const;

/** DER of the list by `template`, signed by `signer`. */
export function signCrl(template: CrlTemplate, signer: CrlSigner): Buffer {
  assert(template.entries.length > 0, 'a list without entries is not made: none is sent then');
  const algorithm = toAlgorithm(signer.privateKey);
  const tbs = derSequence(
    VERSION_2,
    algorithm.identifier,
    signer.subjectDer,
    derTime(template.thisUpdateMs),
    derTime(template.nextUpdateMs),
    derSequence(...template.entries.map(toEntry)),
    derContext(0, derSequence(...toExtensions(template, signer))),
  );
  const signature = sign(algorithm.digest, tbs, signer.privateKey);
  return derSequence(tbs, algorithm.identifier, derBitString(signature));
}

function toEntry({ serialHex, revokedAtMs }: CrlEntry): Buffer {
  return derSequence(derInteger(Buffer.from(serialHex, 'hex')), derTime(revokedAtMs));
}

function toExtensions({ number }: CrlTemplate, { keyIdHex }: CrlSigner): Buffer[] {
  const issuerKeyId = derSequence(derContextPrimitive(0, Buffer.from(keyIdHex, 'hex')));
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return [
    derSequence(ISSUER_KEY_ID, derOctetString(issuerKeyId)),
    derSequence(CRL_NUMBER, derOctetString(derInteger(bytes))),
  ];
}

function toAlgorithm(key: KeyObject): { readonly digest: string; readonly identifier: Buffer } {
  if (key.asymmetricKeyType === 'rsa') return ALGORITHMS.rsa;
  assert(key.asymmetricKeyType === 'ec', 'a signing key is EC or RSA');
  return key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? ALGORITHMS.p384 : ALGORITHMS.p256;
}
