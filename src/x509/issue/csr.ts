// Making a certificate request (PKCS #10, RFC 2986) for a key that we hold: its signature is the
// proof of possession. The subject is empty and the names, if any, are in a subjectAltName: a CA
// that decides by what its caller proved ignores them, one that doesn't finds them there.
// Structure: RFC 2986 section 4; the extension request: RFC 2985 section 5.4.2.
import { createPrivateKey } from 'node:crypto';
import {
  DER_TRUE,
  derContext,
  derContextPrimitive,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
  derSetOf,
} from '../der/der-writer.js';
import { EXTENSION_OID, EXTENSION_REQUEST_OID } from '../der/oids.js';
import { toPemBlock } from '../der/pem.js';
import { type KeyPair, signDer } from '../keys/index.js';

export interface CsrOptions {
  readonly keys: KeyPair;
  /** Names to ask for. */
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
}

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
  return signDer(info, privateKey);
}

/** PEM of a request, with a line feed at its end. */
export function toCsrPem(der: Buffer): string {
  return toPemBlock(PEM_LABEL, der);
}

function extensionRequest(names: readonly Buffer[]): Buffer {
  const value = derOctetString(derSequence(...names));
  // Critical, since the subject is empty (RFC 5280 4.2.1.6).
  const extension = derSequence(derOid(EXTENSION_OID.subjectAltName), DER_TRUE, value);
  return derSequence(derOid(EXTENSION_REQUEST_OID), derSetOf(derSequence(extension)));
}
