// Certificate requests for tests: from parts that can each be made wrong, and from other programs.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  derUtf8String,
} from '../../src/x509/der/der-writer.js';

export const OID = {
  commonName: '2.5.4.3',
  extensionRequest: '1.2.840.113549.1.9.14',
  challengePassword: '1.2.840.113549.1.9.7',
  subjectAltName: '2.5.29.17',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  ecdsaSha384: '1.2.840.10045.4.3.3',
  ecdsaSha1: '1.2.840.10045.4.1',
  rsaSha256: '1.2.840.113549.1.1.11',
  rsaSha1: '1.2.840.113549.1.1.5',
  rsaPss: '1.2.840.113549.1.1.10',
} as const;

export interface CsrParts {
  readonly version: Buffer;
  readonly subject: Buffer;
  readonly spki: Buffer;
  readonly attributes: Buffer;
  /** Further parts of what is signed. */
  readonly extra: readonly Buffer[];
  readonly algorithm: Buffer;
  readonly digest: string;
  readonly privateKey: KeyObject;
  /** What is signed for what it should be. */
  readonly toSigned: (info: Buffer) => Buffer;
  readonly toSignature: (signature: Buffer) => Buffer;
  /** Further parts of the request. */
  readonly tail: readonly Buffer[];
}

export const derName = (commonName: string): Buffer =>
  derSequence(derSetOf(derSequence(derOid(OID.commonName), derUtf8String(commonName))));

export const derAttribute = (oid: string, ...values: Buffer[]): Buffer =>
  derSequence(derOid(oid), derSetOf(...values));

/** The value of an extension request with one subjectAltName. */
export const derNames = (names: { uris?: string[]; dnsNames?: string[] }): Buffer => {
  const content = [
    ...(names.uris ?? []).map((uri) => derContextPrimitive(6, Buffer.from(uri))),
    ...(names.dnsNames ?? []).map((dns) => derContextPrimitive(2, Buffer.from(dns))),
  ];
  const value = derOctetString(derSequence(...content));
  return derSequence(derSequence(derOid(OID.subjectAltName), DER_TRUE, value));
};

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const rsaPair = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const spkiOf = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });
export const ALGORITHM_RSA = derSequence(derOid(OID.rsaSha256), DER_NULL);

export const GOOD: CsrParts = {
  version: derInteger(Buffer.of(0)),
  subject: derSequence(),
  spki: spkiOf(pair.publicKey),
  attributes: derContext(0),
  extra: [],
  algorithm: derSequence(derOid(OID.ecdsaSha256)),
  digest: 'sha256',
  privateKey: pair.privateKey,
  toSigned: (info) => info,
  toSignature: (signature) => derBitString(signature),
  tail: [],
};

/** GOOD for the RSA key. */
export const GOOD_RSA: Partial<CsrParts> = {
  spki: spkiOf(rsaPair.publicKey),
  privateKey: rsaPair.privateKey,
  algorithm: ALGORITHM_RSA,
};

/** Signed, whatever the parts are. */
export function buildCsr(changes: Partial<CsrParts> = {}): Buffer {
  const parts = { ...GOOD, ...changes };
  const { version, subject, spki, attributes, extra, algorithm, tail } = parts;
  const info = derSequence(version, subject, spki, attributes, ...extra);
  const signature = sign(parts.digest, parts.toSigned(info), parts.privateKey);
  return derSequence(info, algorithm, parts.toSignature(signature), ...tail);
}

/** Arguments of `openssl req` for a new key. */
export const OPENSSL_KEYS = {
  'ec P-256': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  'ec P-384': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-sha512'],
  'rsa 2048': ['-newkey', 'rsa:2048'],
  'rsa 3072': ['-newkey', 'rsa:3072', '-sha384'],
  'rsa 4096': ['-newkey', 'rsa:4096', '-sha512'],
} as const;

/** PEM of a request as openssl makes it. */
export function opensslCsr(...args: readonly string[]): string {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-csr-'));
  try {
    const argv = ['req', '-new', '-nodes', '-keyout', join(dir, 'key.pem'), ...args];
    return execFileSync('openssl', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
