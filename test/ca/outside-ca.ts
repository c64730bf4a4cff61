// A CA that is not ours, as an operator may have it: root and intermediate of any key type, without
// SPIFFE IDs. Encoded by our own encoder; what is wrong with a certificate is up to the test.
import { strict as assert } from 'node:assert';
import { createPrivateKey, sign as signBytes, X509Certificate } from 'node:crypto';
import type { KeyType } from '../../src/spiffe/index.js';
import { readChildren, readDer } from '../../src/x509/der/der-reader.js';
import { derBitString, derSequence } from '../../src/x509/der/der-writer.js';
import type { CertificateTemplate } from '../../src/x509/issue/index.js';
import { signCertificate, toKeyIdHex, toSubjectDer } from '../../src/x509/issue/sign.js';
import { generateKeys, type KeyPair } from '../../src/x509/keys/index.js';
import { splitPem, toPem } from '../../src/x509/read/index.js';

export interface OutsideIssuer {
  readonly template: CertificateTemplate;
  readonly keys: KeyPair;
  readonly pem: string;
}

export interface OutsideCa {
  readonly root: OutsideIssuer;
  readonly intermediate: OutsideIssuer;
}

export interface OutsideCaOptions {
  readonly nowMs: number;
  readonly key?: KeyType;
  readonly name?: string;
  readonly root?: Partial<CertificateTemplate>;
  readonly intermediate?: Partial<CertificateTemplate>;
}

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

export async function createOutsideCa(options: OutsideCaOptions): Promise<OutsideCa> {
  const { nowMs, key = 'ecdsa-p256', name = 'Corp' } = options;
  const keys = await generateKeys(key);
  const rootTemplate = {
    ...toCaTemplate({ cn: `${name} Root`, nowMs, publicKeyDer: keys.publicKeyDer }),
    pathLength: 1,
    ...options.root,
  };
  const root = {
    template: rootTemplate,
    keys,
    pem: sign(rootTemplate, { keys, template: rootTemplate }),
  };
  return { root, intermediate: await createIntermediate(root, options) };
}

export async function createIntermediate(
  root: Pick<OutsideIssuer, 'template' | 'keys'>,
  { nowMs, key = 'ecdsa-p256', name = 'Corp', intermediate = {} }: OutsideCaOptions,
): Promise<OutsideIssuer> {
  const keys = await generateKeys(key);
  const template = {
    ...toCaTemplate({ cn: `${name} Issuing`, nowMs, publicKeyDer: keys.publicKeyDer }),
    pathLength: 0,
    ...intermediate,
  };
  return { template, keys, pem: sign(template, root) };
}

/** PEM of a leaf or a CA below `issuer`. */
export function sign(
  template: CertificateTemplate,
  issuer: Pick<OutsideIssuer, 'template' | 'keys'>,
): string {
  const signer = {
    subjectDer: toSubjectDer(issuer.template.subject),
    keyIdHex: toKeyIdHex(issuer.keys.publicKeyDer),
    privateKey: createPrivateKey(issuer.keys.privateKeyPem),
  };
  const pem = toPem(signCertificate(template, signer));
  // Node reads it too, or the test proves nothing.
  return new X509Certificate(pem).toString();
}

/** A certificate of `issuer` with bytes of what is signed replaced, signed anew. */
export function resign(
  pem: string,
  { issuer, from, to }: { issuer: OutsideIssuer; from: Buffer; to: Buffer },
): string {
  const [tbs, algorithm] = readChildren(readDer(splitPem(pem)[0] ?? Buffer.alloc(0)));
  assert(tbs !== undefined && algorithm !== undefined && from.length === to.length);
  const at = tbs.der.indexOf(from);
  assert(at > 0, 'the bytes are there');
  const changed = Buffer.from(tbs.der);
  to.copy(changed, at);
  const signature = signBytes('sha256', changed, issuer.keys.privateKeyPem);
  return toPem(derSequence(changed, algorithm.der, derBitString(signature)));
}

function toCaTemplate(options: {
  readonly cn: string;
  readonly nowMs: number;
  readonly publicKeyDer: Buffer;
}): CertificateTemplate {
  const beginMs = Math.floor((options.nowMs - HOUR_MS) / 1000) * 1000;
  return {
    serialHex: '4a0b0c0d0e0f101112131415161718',
    subject: [
      { type: 'O', value: 'Corp' },
      { type: 'CN', value: options.cn },
    ],
    notBeforeMs: beginMs,
    notAfterMs: beginMs + YEAR_MS,
    publicKeyDer: options.publicKeyDer,
    isCa: true,
    keyUsage: ['keyCertSign', 'cRLSign'],
    extendedKeyUsage: [],
    uris: [],
    dnsNames: [],
    ips: [],
  };
}
