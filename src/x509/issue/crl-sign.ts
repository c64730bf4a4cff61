// A certificate revocation list, as plain data and as signed DER (RFC 5280 section 5.1). Like a
// certificate it is template → sign → re-parse → validate: nothing is decided here, and `crl.ts`
// reads back what this wrote before anybody sees it.
import assert from 'node:assert';
import type { KeyObject } from 'node:crypto';
import {
  derContext,
  derContextPrimitive,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
  derTime,
} from '../der/der-writer.js';
import { CRL_NUMBER_OID, EXTENSION_OID } from '../der/oids.js';
import { signatureAlgorithm, signDer } from '../keys/index.js';
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
const ISSUER_KEY_ID = derOid(EXTENSION_OID.issuerKeyId);
const CRL_NUMBER = derOid(CRL_NUMBER_OID);

/** DER of the list by `template`, signed by `signer`. */
export function signCrl(template: CrlTemplate, signer: CrlSigner): Buffer {
  assert(template.entries.length > 0, 'a list without entries is not made: none is sent then');
  const tbs = derSequence(
    VERSION_2,
    signatureAlgorithm(signer.privateKey).identifierDer,
    signer.subjectDer,
    derTime(template.thisUpdateMs),
    derTime(template.nextUpdateMs),
    derSequence(...template.entries.map(toEntry)),
    derContext(0, derSequence(...toExtensions(template, signer))),
  );
  return signDer(tbs, signer.privateKey);
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
