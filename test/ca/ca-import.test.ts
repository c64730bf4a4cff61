import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type CaChain, importCaChain, trustDomainOfCa } from '../../src/ca/index.js';
import type { CertificateTemplate } from '../../src/x509/issue/index.js';
import { signCertificate, toKeyIdHex, toSubjectDer } from '../../src/x509/issue/sign.js';
import { generateKeys, type KeyPair } from '../../src/x509/keys/index.js';
import { toPem } from '../../src/x509/read/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { expectNoKey, meshErrorOf } from '../x509/tools.js';

const NOW_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;

function newKeys(type: 'rsa' | 'ec' = 'ec', size = 2048, curve = 'P-256'): KeyPair {
  const { privateKey, publicKey } =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: size })
      : generateKeyPairSync('ec', { namedCurve: curve });
  return {
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKeyDer: publicKey.export({ type: 'spki', format: 'der' }),
  };
}

const rootKeys = newKeys('rsa');
const middleKeys = newKeys();
const ownKeys = newKeys();
const otherKeys = newKeys();

type Change = Partial<CertificateTemplate>;

function ca(name: string, keys: KeyPair, change: Change = {}): CertificateTemplate {
  return {
    serialHex: '05',
    subject: [{ type: 'CN', value: name }],
    notBeforeMs: NOW_MS - DAY_MS,
    notAfterMs: NOW_MS + 1000 * DAY_MS,
    publicKeyDer: keys.publicKeyDer,
    isCa: true,
    keyUsage: ['keyCertSign', 'cRLSign'],
    extendedKeyUsage: [],
    uris: [],
    dnsNames: [],
    ips: [],
    ...change,
  };
}

function signed(template: CertificateTemplate, issuer: string, keys: KeyPair): string {
  const der = signCertificate(template, {
    subjectDer: toSubjectDer([{ type: 'CN', value: issuer }]),
    keyIdHex: toKeyIdHex(keys.publicKeyDer),
    privateKey: createPrivateKey(keys.privateKeyPem),
  });
  return toPem(der);
}

const toRoot = (change: Change = {}, keys = rootKeys): string =>
  signed(ca('root', keys, change), 'root', keys);
const toMiddle = (change: Change = {}): string =>
  signed(ca('middle', middleKeys, change), 'root', rootKeys);
const toOwn = (change: Change = {}): string =>
  signed(ca('own', ownKeys, change), 'middle', middleKeys);

interface Brought {
  certificatePem: string;
  privateKeyPem: string;
  chainPem?: string;
  passphrase?: string;
}

const ROOT: Brought = { certificatePem: toRoot(), privateKeyPem: rootKeys.privateKeyPem };
const INTERMEDIATE: Brought = {
  certificatePem: toOwn(),
  privateKeyPem: ownKeys.privateKeyPem,
  chainPem: toRoot() + toMiddle(),
};

function load(ca: Brought): Promise<CaChain> {
  const tools = {
    clock: new ManualClock(NOW_MS),
    random: seededRandom('import'),
    keySource: generateKeys,
  };
  return importCaChain(ca, { trustDomain: 'shop.example', tools });
}

const encrypted = createPrivateKey(rootKeys.privateKeyPem)
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame' })
  .toString();
const pkcs1 = createPrivateKey(rootKeys.privateKeyPem)
  .export({ type: 'pkcs1', format: 'pem' })
  .toString();

const p384 = newKeys('ec', 0, 'P-384');

const ACCEPTED: readonly (readonly [string, Brought])[] = [
  ['an RSA root', ROOT],
  ['a root on P-384', { certificatePem: toRoot({}, p384), privateKeyPem: p384.privateKeyPem }],
  ['a root with path length 1', { ...ROOT, certificatePem: toRoot({ pathLength: 1 }) }],
  [
    'a root of our trust domain',
    { ...ROOT, certificatePem: toRoot({ uris: ['spiffe://shop.example'] }) },
  ],
  ['a key in PKCS #1', { ...ROOT, privateKeyPem: pkcs1 }],
  ['an encrypted key', { ...ROOT, privateKeyPem: encrypted, passphrase: 'open sesame' }],
  ['an intermediate with its chain in any order', INTERMEDIATE],
  [
    'an intermediate with its chain in its own file',
    { ...INTERMEDIATE, certificatePem: toOwn() + toMiddle() + toRoot(), chainPem: toRoot() },
  ],
  [
    'an intermediate of path length 0',
    { ...INTERMEDIATE, certificatePem: toOwn({ pathLength: 0 }) },
  ],
  [
    'an intermediate for servers and clients',
    { ...INTERMEDIATE, certificatePem: toOwn({ extendedKeyUsage: ['serverAuth', 'clientAuth'] }) },
  ],
];

describe('a brought CA is taken', () => {
  it.each(ACCEPTED)('%s', async (_name, brought) => {
    const chain = await load(brought);
    expect(chain.issuer.facts.isCa).toBe(true);
    expect(chain.root.facts.issuerDer.equals(chain.root.facts.subjectDer)).toBe(true);
    const isRoot =
      brought.certificatePem.split('BEGIN').length === 2 && brought.chainPem === undefined;
    expect(chain.rootKeyPem === undefined).toBe(!isRoot);
  });
});

const REFUSED: readonly (readonly [string, Brought, string, string])[] = [
  [
    'the key of another certificate',
    { ...ROOT, privateKeyPem: otherKeys.privateKeyPem },
    'certificate-invalid',
    'root: expected the private key of this certificate but got another',
  ],
  [
    'a key that is none',
    { ...ROOT, privateKeyPem: '-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----' },
    'certificate-invalid',
    'expected keys but got other text',
  ],
  [
    'an encrypted key without its passphrase',
    { ...ROOT, privateKeyPem: encrypted },
    'passphrase-missing',
    'the key is encrypted and no passphrase was given',
  ],
  [
    'an encrypted key with another passphrase',
    { ...ROOT, privateKeyPem: encrypted, passphrase: 'open barley' },
    'passphrase-wrong',
    'the passphrase does not open the key',
  ],
  [
    'a root that has ended',
    { ...ROOT, certificatePem: toRoot({ notAfterMs: NOW_MS }) },
    'certificate-invalid',
    'root: expected one in force but it ended 2026-01-01T00:00:00.000Z',
  ],
  [
    'a root that has not begun',
    { ...ROOT, certificatePem: toRoot({ notBeforeMs: NOW_MS + DAY_MS }) },
    'certificate-invalid',
    'root: expected one in force but it begins 2026-01-02T00:00:00.000Z',
  ],
  [
    'a certificate that is no CA',
    { ...ROOT, certificatePem: toRoot({ isCa: false, keyUsage: ['digitalSignature'] }) },
    'certificate-invalid',
    'root: expected a CA but got a certificate that is none (basic constraints)',
  ],
  [
    'a CA that may not sign certificates',
    { ...ROOT, certificatePem: toRoot({ keyUsage: ['cRLSign'] }) },
    'certificate-invalid',
    'root: expected a CA that may sign certificates but its key usage lacks keyCertSign',
  ],
  [
    'a root below which no CA may stand',
    { ...ROOT, certificatePem: toRoot({ pathLength: 0 }) },
    'certificate-invalid',
    'root: expected a path length of at least 1 but got 0',
  ],
  [
    'a chain whose root allows too few CAs',
    { ...INTERMEDIATE, chainPem: toMiddle() + toRoot({ pathLength: 1 }) },
    'certificate-invalid',
    'root: expected a path length of at least 2 but got 1',
  ],
  [
    'an intermediate without its chain',
    { certificatePem: toOwn(), privateKeyPem: ownKeys.privateKeyPem },
    'certificate-invalid',
    'expected the certificates up to a self-signed root but that of "CN=middle" is missing',
  ],
  [
    'a chain that lacks the root',
    { ...INTERMEDIATE, chainPem: toMiddle() },
    'certificate-invalid',
    'expected the certificates up to a self-signed root but that of "CN=root" is missing',
  ],
  [
    'an intermediate that has ended',
    { ...INTERMEDIATE, certificatePem: toOwn({ notAfterMs: NOW_MS - 1000 }) },
    'certificate-invalid',
    'intermediate: expected one in force but it ended 2025-12-31T23:59:59.000Z',
  ],
  [
    'a CA of another trust domain',
    { ...ROOT, certificatePem: toRoot({ uris: ['spiffe://corp.example'] }) },
    'certificate-invalid',
    'root: expected URI names [spiffe://shop.example] but got [spiffe://corp.example]',
  ],
  [
    'an intermediate for servers only',
    { ...INTERMEDIATE, certificatePem: toOwn({ extendedKeyUsage: ['serverAuth'] }) },
    'certificate-invalid',
    'intermediate: expected extended key usages of servers and clients, or none, but got others',
  ],
  [
    'text that is no certificate',
    { ...ROOT, certificatePem: 'hello' },
    'certificate-invalid',
    'expected certificates in PEM but got none',
  ],
];

describe('a brought CA is refused', () => {
  it.each(REFUSED)('%s', async (_name, brought, code, message) => {
    const error = await meshErrorOf(() => load(brought));
    expect({ code: error.code, message: error.message }).toEqual({ code, message });
    expectNoKey(error);
  });

  it('a root of 1024 bits', async () => {
    const weak = newKeys('rsa', 1024);
    const error = await meshErrorOf(() =>
      load({ certificatePem: toRoot({}, weak), privateKeyPem: weak.privateKeyPem }),
    );
    expect(error.message).toBe('root: expected RSA of at least 2048 bits but got 1024');
  });

  it('a root on a curve that proxies do not know', async () => {
    const odd = newKeys('ec', 0, 'secp256k1');
    const error = await meshErrorOf(() =>
      load({ certificatePem: toRoot({}, odd), privateKeyPem: odd.privateKeyPem }),
    );
    expect(error.message).toBe(
      'root: expected an RSA key or one on P-256 or P-384 but got secp256k1',
    );
  });

  it('all that is wrong at once', async () => {
    const certificatePem = toRoot({ pathLength: 0, notAfterMs: NOW_MS - 1000 });
    const error = await meshErrorOf(() =>
      load({ certificatePem, privateKeyPem: otherKeys.privateKeyPem }),
    );
    expect(error.message.split('; ')).toHaveLength(3);
  });
});

it('a CA names its trust domain by its SPIFFE ID, if any', () => {
  expect(trustDomainOfCa(toRoot({ uris: ['spiffe://shop.example'] }))).toBe('shop.example');
  expect(trustDomainOfCa(toRoot())).toBe(undefined);
  expect(trustDomainOfCa(toRoot({ uris: ['spiffe://shop.example/ns/a/sa/b'] }))).toBe(undefined);
});
