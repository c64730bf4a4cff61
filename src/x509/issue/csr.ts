// Making a certificate request (PKCS #10, RFC 2986) for a key that we hold: its signature is the
// proof of possession. The subject is empty and the names, if any, are in a subjectAltName: a CA
// that decides by what its caller proved ignores them, one that doesn't finds them there.
// Structure: RFC 2986 section 4; the extension request: RFC 2985 section 5.4.2.
import assert from 'node:assert';
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import {
  DER_NULL,
  DER_TRUE,
  derBitString,
  derContext,
  derContextPrimitive,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
  derSetOf,
} from '../der/der-writer.js';
import type { KeyPair } from '../keys/index.js';

export interface CsrOptions {
  readonly keys: KeyPair;
  /** Names to ask for. */
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
}

const OIDS = {
  extensionRequest: '1.2.840.113549.1.9.14',
  subjectAltName: '2.5.29.17',
} as const;
/** Context tags of GeneralName, RFC 5280 4.2.1.6. */
const GENERAL_NAME = { dns: 2, uri: 6 } as const;
const PEM_LABEL = 'CERTIFICATE REQUEST';

/** DER of a request, signed by the key that it is for. */
export function createCsr({ keys, uris = [], dnsNames = [] }: CsrOptions): Buffer {
  const privateKey = createPrivateKey(keys.privateKeyPem);
  const names = [
    ...uris.map((uri) => derContextPrimitive(GENERAL_NAME.uri, Buffer.from(uri, 'latin1'))),
    ...dnsNames.map((dns) => derContextPrimitive(GENERAL_NAME.dns, Buffer.from(dns, 'latin1'))),
  ];
  const info = derSequence(
    derInteger(Buffer.of(0)),
    derSequence(),
    keys.publicKeyDer,
    derContext(0, ...(names.length === 0 ? [] : [extensionRequest(names)])),
  );
  const { digest, identifier } = signatureAlgorithm(privateKey);
  return derSequence(info, identifier, derBitString(sign(digest, info, privateKey)));
}

/** PEM of a request, with a line feed at its end. */
export function toCsrPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${PEM_LABEL}-----\n${lines.join('\n')}\n-----END ${PEM_LABEL}-----\n`;
}

function extensionRequest(names: readonly Buffer[]): Buffer {
  const value = derOctetString(derSequence(...names));
  // Critical, since the subject is empty (RFC 5280 4.2.1.6).
  const extension = derSequence(derOid(OIDS.subjectAltName), DER_TRUE, value);
  return derSequence(derOid(OIDS.extensionRequest), derSetOf(derSequence(extension)));
}

/** RFC 5758 section 3.2; RFC 4055 section 5. */
function signatureAlgorithm(key: KeyObject): { digest: string; identifier: Buffer } {
  if (key.asymmetricKeyType === 'rsa') {
    const identifier = derSequence(derOid('1.2.840.113549.1.1.11'), DER_NULL);
    return { digest: 'sha256', identifier };
  }
  assert(key.asymmetricKeyType === 'ec', 'a requester has an EC or RSA key');
  return key.asymmetricKeyDetails?.namedCurve === 'secp384r1'
    ? { digest: 'sha384', identifier: derSequence(derOid('1.2.840.10045.4.3.3')) }
    : { digest: 'sha256', identifier: derSequence(derOid('1.2.840.10045.4.3.2')) };
}
