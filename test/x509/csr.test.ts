import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import { describe, expect, it } from 'vitest';
import { type KeyType, parseSpiffeId } from '../../src/spiffe/index.js';
import {
  DER_NULL,
  derBitString,
  derContext,
  derInteger,
  derOid,
  derSequence,
  derSetOf,
  derUtf8String,
} from '../../src/x509/der/der-writer.js';
import { createCsr, toCsrPem } from '../../src/x509/issue/index.js';
import { generateKeys } from '../../src/x509/keys/index.js';
import { MAX_CSR_BYTES } from '../../src/x509/read/csr-reader.js';
import { assertIdentity, readCsr } from '../../src/x509/read/index.js';
import {
  ALGORITHM_RSA,
  buildCsr,
  type CsrParts,
  derAttribute,
  derName,
  derNames,
  GOOD,
  GOOD_RSA,
  OID,
  OPENSSL_KEYS,
  opensslCsr,
  rsaPair,
  spkiOf,
} from './csr-parts.js';
import { meshErrorOf, WEB } from './tools.js';

const HINT = 'make one with `openssl req -new` or the library of your language';
const CHALLENGE = derAttribute(OID.challengePassword, derUtf8String('x'));
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });

describe('a request is read', () => {
  const ROWS: readonly [name: string, parts: Partial<CsrParts>, uris: readonly string[]][] = [
    ['without names', {}, []],
    ['with an RSA key', GOOD_RSA, []],
    ['RSA without NULL', { ...GOOD_RSA, algorithm: derSequence(derOid(OID.rsaSha256)) }, []],
    [
      'P-256 with SHA-384',
      { algorithm: derSequence(derOid(OID.ecdsaSha384)), digest: 'sha384' },
      [],
    ],
    ['with a subject, which means nothing', { subject: derName('admin') }, []],
    [
      'with a challenge password, which means nothing',
      { attributes: derContext(0, CHALLENGE) },
      [],
    ],
    [
      'with the names of its SAN',
      {
        attributes: derContext(
          0,
          derAttribute(OID.extensionRequest, derNames({ uris: [WEB], dnsNames: ['evil'] })),
        ),
      },
      [WEB],
    ],
  ];

  it.each(ROWS)('%s', (_name, parts, uris) => {
    const der = buildCsr(parts);
    const publicKeyDer = { ...GOOD, ...parts }.spki;
    const wanted = { der, publicKeyDer, uris };
    expect(readCsr(der)).toEqual(wanted);
    expect(readCsr(toCsrPem(der))).toEqual(wanted);
    expect(readCsr(Buffer.from(toCsrPem(der)))).toEqual(wanted);
  });

  it('under its older name, with CRLF and space around', () => {
    const der = buildCsr();
    const pem = toCsrPem(der).replaceAll('CERTIFICATE', 'NEW CERTIFICATE').replaceAll('\n', '\r\n');
    expect(readCsr(`\n${pem}\n\n`).der).toEqual(der);
  });
});

const ed25519 = generateKeyPairSync('ed25519');
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });
const dsa = generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 });
const rsa1024 = generateKeyPairSync('rsa', { modulusLength: 1024 });
const rsaPss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 });
const EC = derOid('1.2.840.10045.2.1');
const P256 = derOid('1.2.840.10045.3.1.7');
const point = spkiOf(other.publicKey).subarray(-65);
const compressed = Buffer.concat([Buffer.of(2 + ((point[64] ?? 0) & 1)), point.subarray(1, 33)]);
const offCurve = Buffer.from(point);
offCurve[64] = (offCurve[64] ?? 0) ^ 1;
const toEcSpki = (bytes: Buffer): Buffer => derSequence(derSequence(EC, P256), derBitString(bytes));

/** The RSA key with another exponent. */
function toRsaSpki(exponent: Buffer, modulus?: Buffer): Buffer {
  const { n = '' } = rsaPair.publicKey.export({ format: 'jwk' });
  const numbers = derSequence(
    derInteger(modulus ?? Buffer.from(n, 'base64url')),
    derInteger(exponent),
  );
  const algorithm = derSequence(derOid('1.2.840.113549.1.1.1'), DER_NULL);
  return derSequence(algorithm, derBitString(numbers));
}

describe('a request is refused', () => {
  const keyTold = 'expected an EC P-256, EC P-384 or RSA key of 2048 to 4096 bits but got ';
  const signatureTold = 'expected a signature by the key that it is for but got another';
  const algorithmTold =
    'expected a signature by ECDSA or RSA (PKCS #1) with SHA-256, SHA-384 or SHA-512 but got ';
  const exponentTold = 'an RSA key whose exponent is not an odd number from 3 to 2147483647';
  const list = derAttribute(OID.extensionRequest, derNames({ uris: [WEB] }));
  const ROWS: readonly [name: string, parts: Partial<CsrParts>, told: string][] = [
    ['signed by another key', { privateKey: other.privateKey }, signatureTold],
    ['for another key', { spki: spkiOf(other.publicKey) }, signatureTold],
    ['signed over other bytes', { toSigned: (info) => info.subarray(1) }, signatureTold],
    ['an empty signature', { toSignature: () => derBitString(Buffer.alloc(0)) }, signatureTold],
    [
      'unused bits',
      { toSignature: (bytes) => derBitString(Buffer.concat([bytes, Buffer.of(0)]), 1) },
      signatureTold,
    ],
    [
      'unused bits that are set',
      { toSignature: (bytes) => derBitString(Buffer.concat([bytes, Buffer.of(1)]), 1) },
      'not valid DER: expected a bit string whose unused bits are zero',
    ],
    ['an EC signature said to be RSA', { algorithm: ALGORITHM_RSA }, signatureTold],
    ['another digest than it says', { digest: 'sha384' }, signatureTold],
    ['version 1', { version: derInteger(Buffer.of(1)) }, 'expected version 0'],
    [
      'no attributes',
      { attributes: Buffer.alloc(0) },
      'expected version, subject, public key and attributes',
    ],
    [
      'more in what is signed',
      { extra: [DER_NULL] },
      'expected version, subject, public key and attributes',
    ],
    ['a fourth part', { tail: [DER_NULL] }, 'expected its three parts'],
    [
      'a subject of another kind',
      { subject: derSetOf() },
      'not valid DER: expected tag 48 but got 49',
    ],
    [
      'two lists of extensions',
      { attributes: derContext(0, list, list) },
      'expected at most one list of extensions but got more',
    ],
    [
      'two values of a list of extensions',
      {
        attributes: derContext(
          0,
          derAttribute(OID.extensionRequest, derNames({}), derNames({ uris: [WEB] })),
        ),
      },
      'expected at most one list of extensions but got more',
    ],
    [
      'an attribute without a set',
      { attributes: derContext(0, derSequence(derOid(OID.challengePassword))) },
      'expected a set of values',
    ],
    [
      'SHA-1',
      { algorithm: derSequence(derOid(OID.ecdsaSha1)), digest: 'sha1' },
      `${algorithmTold}ECDSA with SHA-1`,
    ],
    [
      'RSA with SHA-1',
      { ...GOOD_RSA, algorithm: derSequence(derOid(OID.rsaSha1), DER_NULL), digest: 'sha1' },
      `${algorithmTold}RSA with SHA-1`,
    ],
    [
      'RSASSA-PSS',
      { ...GOOD_RSA, algorithm: derSequence(derOid(OID.rsaPss)) },
      `${algorithmTold}RSASSA-PSS`,
    ],
    [
      'an unknown algorithm',
      { algorithm: derSequence(derOid('1.2.3.4')) },
      `${algorithmTold}algorithm 1.2.3.4`,
    ],
    [
      'ECDSA with parameters',
      { algorithm: derSequence(derOid(OID.ecdsaSha256), DER_NULL) },
      'expected an algorithm without parameters',
    ],
    ['P-521', { spki: spkiOf(p521.publicKey) }, `${keyTold}a key on curve P-521`],
    ['Ed25519', { spki: spkiOf(ed25519.publicKey) }, `${keyTold}an Ed25519 key`],
    ['DSA', { spki: spkiOf(dsa.publicKey) }, `${keyTold}a DSA key`],
    ['an RSASSA-PSS key', { spki: spkiOf(rsaPss.publicKey) }, `${keyTold}an RSASSA-PSS key`],
    ['RSA 1024', { spki: spkiOf(rsa1024.publicKey) }, `${keyTold}an RSA key of 1024 bits`],
    [
      'RSA 4104',
      { spki: toRsaSpki(Buffer.of(3), Buffer.alloc(513, 0xff)) },
      `${keyTold}an RSA key of 4104 bits`,
    ],
    ['exponent 1', { spki: toRsaSpki(Buffer.of(1)) }, keyTold + exponentTold],
    ['an even exponent', { spki: toRsaSpki(Buffer.of(1, 0, 0)) }, keyTold + exponentTold],
    ['a large exponent', { spki: toRsaSpki(Buffer.of(1, 0, 0, 0, 1)) }, keyTold + exponentTold],
    [
      'a point that is compressed',
      { spki: toEcSpki(compressed) },
      `${keyTold}an EC key whose point is not in its uncompressed form`,
    ],
    [
      'a point beside its curve',
      { spki: toEcSpki(offCurve) },
      `${keyTold}one that is no such key, such as a point that is not on its curve`,
    ],
    [
      'an EC key without a curve',
      { spki: derSequence(derSequence(EC), derBitString(point)) },
      `${keyTold}an EC key without a named curve`,
    ],
    [
      'a key with more behind it',
      { spki: derSequence(derSequence(EC, P256), derBitString(point), DER_NULL) },
      `${keyTold}other bytes`,
    ],
  ];

  it.each(ROWS)('%s', async (_name, parts, told) => {
    const { code, message } = await meshErrorOf(() => readCsr(buildCsr(parts)));
    expect({ code, message }).toEqual({
      code: 'csr-invalid',
      message: `certificate request: ${told}`,
    });
  });

  const pem = toCsrPem(buildCsr());
  const textTold =
    'expected one PEM block "CERTIFICATE REQUEST" and nothing else but got other text';
  it.each([
    ['two blocks', pem + pem],
    ['text before it', `Certificate Request:\n${pem}`],
    ['text behind it', `${pem}x`],
    ['another label', pem.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE')],
    ['two labels', pem.replace('CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST')],
    ['base64 that is spelt otherwise', pem.replace(/\n-----END/, '=\n-----END')],
    ['no base64', pem.replace('\nM', '\n!M')],
    ['nothing', ''],
    ['a private key', GOOD.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
  ])('in PEM: %s', async (_name, text) => {
    const { code, message, hint } = await meshErrorOf(() => readCsr(text));
    expect({ code, message, hint }).toEqual({
      code: 'csr-invalid',
      message: `certificate request: ${textTold}`,
      hint: HINT,
    });
  });

  it('with bytes behind it', async () => {
    const der = Buffer.concat([buildCsr(), Buffer.of(0)]);
    expect((await meshErrorOf(() => readCsr(der))).message).toBe(
      'certificate request: not valid DER: expected one value but got 1 more bytes',
    );
  });

  it('above its limit, unread', async () => {
    const subject = derName('x'.repeat(MAX_CSR_BYTES));
    const der = buildCsr({ subject });
    expect(await meshErrorOf(() => readCsr(der))).toMatchObject({
      code: 'resource-limit',
      message: `certificate request: expected at most 16384 bytes but got ${der.length}`,
    });
  });
});

describe('identity', () => {
  const OTHER = 'spiffe://shop.example/ns/payments/sa/ledger';
  const REFUSED = `expected a certificate request for ${WEB} but it names another identity`;
  it.each<[uris: string[], told: string | undefined]>([
    [[], undefined],
    [[WEB], undefined],
    [[WEB, WEB], undefined],
    [[OTHER], REFUSED],
    [[WEB, OTHER], REFUSED],
    [[`${WEB}/`], REFUSED],
    [[WEB.toUpperCase()], REFUSED],
    [['https://web.example'], REFUSED],
  ])('%j', async (uris, told) => {
    const attribute = derAttribute(OID.extensionRequest, derNames({ uris }));
    const csr = readCsr(buildCsr({ attributes: derContext(0, attribute) }));
    const check = (): void => assertIdentity(csr, parseSpiffeId(WEB));
    if (told === undefined) check();
    else
      expect(await meshErrorOf(check)).toMatchObject({ code: 'csr-wrong-identity', message: told });
  });
});

describe("other programs' requests", () => {
  const names = ['-addext', `subjectAltName=URI:${WEB},DNS:web`, '-subj', '/O=shop/CN=web'];

  it.each(Object.entries(OPENSSL_KEYS))('openssl, %s', (_name, args) => {
    const csr = readCsr(opensslCsr(...args, ...names));
    expect(csr.uris).toEqual([WEB]);
    expect(createPublicKey({ key: csr.publicKeyDer, format: 'der', type: 'spki' }).type).toBe(
      'public',
    );
    expect(readCsr(csr.der)).toEqual(csr);
  });

  it('openssl, signed by RSASSA-PSS: refused', async () => {
    const pem = opensslCsr(
      ...OPENSSL_KEYS['rsa 2048'],
      '-subj',
      '/',
      '-sigopt',
      'rsa_padding_mode:pss',
    );
    expect((await meshErrorOf(() => readCsr(pem))).message).toMatch(/ but got RSASSA-PSS$/);
  });

  it('node-forge', () => {
    const csr = forge.pki.createCertificationRequest();
    const keyPem = rsaPair.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
    const spkiPem = rsaPair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    csr.publicKey = forge.pki.publicKeyFromPem(spkiPem);
    csr.setSubject([{ name: 'commonName', value: 'web' }]);
    const altNames = [{ type: 6, value: WEB }];
    csr.setAttributes([
      { name: 'extensionRequest', extensions: [{ name: 'subjectAltName', altNames }] },
    ]);
    csr.sign(forge.pki.privateKeyFromPem(keyPem), forge.md.sha256.create());
    const read = readCsr(forge.pki.certificationRequestToPem(csr));
    expect({ uris: read.uris, publicKeyDer: read.publicKeyDer }).toEqual({
      uris: [WEB],
      publicKeyDer: spkiOf(rsaPair.publicKey),
    });
  });
});

describe('our own requests', () => {
  const TYPES: readonly KeyType[] = ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-3072'];

  it.each(TYPES)('%s: read back, and verified by openssl', async (type) => {
    const keys = await generateKeys(type);
    const der = createCsr({ keys, uris: [WEB], dnsNames: ['web'] });
    expect(readCsr(toCsrPem(der))).toEqual({ der, publicKeyDer: keys.publicKeyDer, uris: [WEB] });
    const argv = ['req', '-verify', '-noout', '-text'];
    const text = execFileSync('openssl', argv, {
      input: toCsrPem(der),
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    expect(text).toContain(`URI:${WEB}, DNS:web`);
    expect(readCsr(createCsr({ keys })).uris).toEqual([]);
  });

  it('a certificate is no request', async () => {
    const { certificate } = forgeCertificate();
    expect((await meshErrorOf(() => readCsr(new X509Certificate(certificate).raw))).code).toBe(
      'csr-invalid',
    );
  });
});

function forgeCertificate(): { certificate: string } {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(
    rsaPair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  );
  const keyPem = rsaPair.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
  certificate.sign(forge.pki.privateKeyFromPem(keyPem), forge.md.sha256.create());
  return { certificate: forge.pki.certificateToPem(certificate) };
}
