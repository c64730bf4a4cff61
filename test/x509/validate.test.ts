import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  assertCertificate,
  certificateProblems,
  type Expectation,
  type ExpectedLeaf,
} from '../../src/x509/check/index.js';
import type { CertificateTemplate } from '../../src/x509/issue/index.js';
import { signCertificate, toKeyIdHex, toSubjectDer } from '../../src/x509/issue/sign.js';
import {
  type CertificateFacts,
  readCertificate,
  toCommonName,
  toPem,
} from '../../src/x509/read/index.js';
import { meshErrorOf, WEB } from './tools.js';

const NOW_MS = Date.UTC(2026, 0, 1, 12);
const HOUR_MS = 3_600_000;

function newKeys() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { privateKeyPem: privateKey, publicKeyDer: publicKey };
}

const caKeys = newKeys();
const leafKeys = newKeys();
const otherKeys = newKeys();

const CA: CertificateTemplate = {
  serialHex: '40112233445566778899aabbccddeeff',
  subject: [{ type: 'CN', value: 'test root' }],
  notBeforeMs: NOW_MS - HOUR_MS,
  notAfterMs: NOW_MS + 100 * HOUR_MS,
  publicKeyDer: caKeys.publicKeyDer,
  isCa: true,
  pathLength: 0,
  keyUsage: ['keyCertSign', 'cRLSign'],
  extendedKeyUsage: [],
  uris: ['spiffe://shop.example'],
  dnsNames: [],
  ips: [],
};

const LEAF: CertificateTemplate = {
  serialHex: '41112233445566778899aabbccddeeff',
  subject: [],
  notBeforeMs: NOW_MS - 300_000,
  notAfterMs: NOW_MS + HOUR_MS,
  publicKeyDer: leafKeys.publicKeyDer,
  isCa: false,
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: ['serverAuth', 'clientAuth'],
  uris: [WEB],
  dnsNames: ['web', 'web.default'],
  ips: [],
};

const WANTED = {
  kind: 'workload',
  spiffeId: WEB,
  dnsNames: ['web', 'web.default'],
  earliestBeginMs: NOW_MS - 300_000,
  latestEndMs: NOW_MS + HOUR_MS,
} as const satisfies Expectation;

interface SignerChange {
  readonly privateKeyPem?: string;
  readonly subjectDer?: Buffer;
  readonly keyIdHex?: string;
}

function signed(template: CertificateTemplate, change: SignerChange = {}): CertificateFacts {
  const signer = {
    subjectDer: change.subjectDer ?? toSubjectDer(CA.subject),
    keyIdHex: change.keyIdHex ?? toKeyIdHex(caKeys.publicKeyDer),
    privateKey: createPrivateKey(change.privateKeyPem ?? caKeys.privateKeyPem),
  };
  return readCertificate(signCertificate(template, signer));
}

const ca = signed(CA);

interface Row {
  readonly name: string;
  readonly template?: Partial<CertificateTemplate>;
  readonly signer?: SignerChange;
  readonly expected?: Partial<Pick<ExpectedLeaf, 'spiffeId' | 'dnsNames'>>;
  readonly issuer?: Partial<CertificateTemplate>;
  readonly privateKeyPem?: string;
  /** None: the row is accepted. */
  readonly problems: readonly string[];
}

const BEGIN = '2026-01-01T11:55:00.000Z';
const END = '2026-01-01T13:00:00.000Z';

const LEAF_ROWS: readonly Row[] = [
  { name: 'as asked for', problems: [] },
  { name: 'names in another order', expected: { dnsNames: ['web.default', 'web'] }, problems: [] },
  {
    name: 'without DNS names',
    template: { dnsNames: [] },
    expected: { dnsNames: [] },
    problems: [],
  },
  { name: 'a shorter life', template: { notAfterMs: NOW_MS + 1000 }, problems: [] },
  { name: 'a serial of 8 bytes', template: { serialHex: '4011223344556677' }, problems: [] },
  {
    name: 'a serial of 4 bytes',
    template: { serialHex: '40112233' },
    problems: ['expected a serial of 8 to 20 bytes but got 4'],
  },
  {
    name: 'a serial of 21 bytes',
    template: { serialHex: `40${'11'.repeat(20)}` },
    problems: ['expected a serial of 8 to 20 bytes but got 21'],
  },
  {
    name: 'a negative serial',
    template: { serialHex: `80${'11'.repeat(15)}` },
    problems: ['expected a positive serial but got a negative one or zero'],
  },
  {
    name: 'another identity',
    template: { uris: ['spiffe://shop.example/ns/default/sa/admin'] },
    problems: [`expected URI names [${WEB}] but got [spiffe://shop.example/ns/default/sa/admin]`],
  },
  {
    name: 'a second identity',
    template: { uris: [WEB, 'spiffe://shop.example/ns/default/sa/admin'] },
    problems: [
      `expected URI names [${WEB}] but got [${WEB}, spiffe://shop.example/ns/default/sa/admin]`,
    ],
  },
  {
    name: 'the same identity twice',
    template: { uris: [WEB, WEB] },
    problems: [`expected URI names [${WEB}] but got [${WEB}, ${WEB}]`],
  },
  {
    name: 'no identity',
    template: { uris: [] },
    problems: [`expected URI names [${WEB}] but got [none]`],
  },
  {
    name: 'a DNS name too many',
    template: { dnsNames: ['web', 'web.default', 'admin'] },
    problems: ['expected DNS names [web, web.default] but got [web, web.default, admin]'],
  },
  {
    name: 'a DNS name too few',
    template: { dnsNames: ['web'] },
    problems: ['expected DNS names [web, web.default] but got [web]'],
  },
  {
    name: 'an address',
    template: { ips: ['127.0.0.1'] },
    problems: ['expected no addresses but got 1'],
  },
  {
    name: 'a subject',
    template: { subject: [{ type: 'CN', value: 'admin' }] },
    problems: [
      'expected an empty subject but got a name',
      'expected a critical subject alternative name, as the subject is empty, but got none',
    ],
  },
  {
    name: 'a CA',
    template: { isCa: true },
    problems: [
      'expected an issuer that may have CAs below it but got one of path length 0',
      'expected no CA but got one',
    ],
  },
  {
    name: 'the right to sign certificates',
    template: { keyUsage: ['digitalSignature', 'keyCertSign'] },
    problems: ['expected key usage bits [0] but got [0, 5]'],
  },
  {
    name: 'no key usage',
    template: { keyUsage: [] },
    problems: ['expected key usage bits [0] but got [none]'],
  },
  {
    name: 'server usage only',
    template: { extendedKeyUsage: ['serverAuth'] },
    problems: [
      'expected extended key usages [1.3.6.1.5.5.7.3.1, 1.3.6.1.5.5.7.3.2] ' +
        'but got [1.3.6.1.5.5.7.3.1]',
    ],
  },
  {
    name: 'an end later than asked for',
    template: { notAfterMs: NOW_MS + HOUR_MS + 1000 },
    problems: [`expected an end until ${END} but got 2026-01-01T13:00:01.000Z`],
  },
  {
    name: 'a begin earlier than asked for',
    template: { notBeforeMs: NOW_MS - 301_000 },
    problems: [`expected a begin from ${BEGIN} on but got 2026-01-01T11:54:59.000Z`],
  },
  {
    name: 'an end before its begin',
    template: { notAfterMs: NOW_MS - 300_000 },
    problems: [`expected an end after ${BEGIN} but got ${BEGIN}`],
  },
  {
    name: 'an end after its issuer’s',
    issuer: { notAfterMs: NOW_MS + HOUR_MS - 1000 },
    problems: [`expected a period within its issuer's but got ${BEGIN} to ${END}`],
  },
  {
    name: 'an issuer that is no CA',
    issuer: { isCa: false },
    problems: ['expected an issuer that may sign certificates but got one that may not'],
  },
  {
    name: 'an issuer without the right to sign',
    issuer: { keyUsage: ['cRLSign'] },
    problems: ['expected an issuer that may sign certificates but got one that may not'],
  },
  {
    name: 'another issuer’s name',
    signer: { subjectDer: toSubjectDer([{ type: 'CN', value: 'another root' }]) },
    problems: ["expected its issuer's name but got another one"],
  },
  {
    name: 'another issuer’s key identifier',
    signer: { keyIdHex: '00'.repeat(20) },
    problems: [`expected authority key identifier ${ca.keyIdHex} but got ${'00'.repeat(20)}`],
  },
  {
    name: 'another issuer’s signature',
    signer: { privateKeyPem: otherKeys.privateKeyPem },
    problems: ["expected a signature by its issuer's key but got another one"],
  },
  {
    name: 'another private key',
    privateKeyPem: otherKeys.privateKeyPem,
    problems: ['expected the private key of this certificate but got another'],
  },
  {
    name: 'a private key that is none',
    privateKeyPem: 'secret words',
    problems: ['expected the private key of this certificate but got another'],
  },
];

const AUTHORITY: Expectation = {
  kind: 'authority',
  spiffeId: 'spiffe://shop.example',
  pathLength: 0,
  earliestBeginMs: CA.notBeforeMs,
  latestEndMs: CA.notAfterMs,
};

const AUTHORITY_ROWS: readonly Row[] = [
  { name: 'as asked for', problems: [] },
  {
    name: 'another path length',
    template: { pathLength: 1 },
    problems: ['expected path length 0 but got 1'],
  },
  {
    name: 'another trust domain',
    template: { uris: ['spiffe://corp.example'] },
    problems: ['expected URI names [spiffe://shop.example] but got [spiffe://corp.example]'],
  },
  {
    name: 'a workload’s usages',
    template: { keyUsage: ['digitalSignature', 'keyCertSign', 'cRLSign'] },
    problems: ['expected key usage bits [5, 6] but got [0, 5, 6]'],
  },
  {
    name: 'an extended usage',
    template: { extendedKeyUsage: ['serverAuth'] },
    problems: ['expected no extended key usage but got some'],
  },
];

describe('a leaf', () => {
  it.each(LEAF_ROWS)('with $name', (row) => {
    const issuer = row.issuer === undefined ? ca : signed({ ...CA, ...row.issuer });
    const problems = certificateProblems({
      facts: signed({ ...LEAF, ...row.template }, row.signer),
      issuer,
      privateKeyPem: row.privateKeyPem ?? leafKeys.privateKeyPem,
      expected: { ...WANTED, ...row.expected },
    });
    expect(problems).toEqual(row.problems);
  });

  it('is refused with every problem at once and without its key', async () => {
    const facts = signed({ ...LEAF, dnsNames: ['x'], keyUsage: ['keyCertSign'] });
    const { privateKeyPem } = otherKeys;
    const error = await meshErrorOf(() =>
      assertCertificate({ facts, issuer: ca, privateKeyPem, expected: WANTED }),
    );
    expect(error.code).toBe('certificate-invalid');
    expect(error.message.split('; ')).toEqual([
      'expected the private key of this certificate but got another',
      'expected DNS names [web, web.default] but got [x]',
      'expected key usage bits [0] but got [5]',
    ]);
    expect(JSON.stringify(error)).not.toContain('PRIVATE');
  });
});

const LONG_ID = `spiffe://shop.example/ns/default/sa/${'w'.repeat(63)}`;
const OUTSIDE_ROWS: readonly Row[] = [
  { name: 'as ours are', problems: [] },
  {
    name: 'its ID for a common name',
    template: { subject: [{ type: 'CN', value: WEB }] },
    problems: [],
  },
  {
    name: 'one of its names for a common name',
    template: { subject: [{ type: 'CN', value: 'web.default' }] },
    problems: [],
  },
  {
    name: 'an organization',
    template: { subject: [{ type: 'O', value: 'Corp' }] },
    problems: [],
  },
  {
    name: 'the hash of a long ID for a common name',
    template: { uris: [LONG_ID], subject: [{ type: 'CN', value: toCommonName(LONG_ID) }] },
    expected: { spiffeId: LONG_ID },
    problems: [],
  },
  {
    name: 'the hash of another ID for a common name',
    template: { subject: [{ type: 'CN', value: toCommonName(LONG_ID) }] },
    problems: [`expected no common name but the identity's but got "${toCommonName(LONG_ID)}"`],
  },
  {
    name: 'a second common name',
    template: {
      subject: [
        { type: 'CN', value: WEB },
        { type: 'CN', value: 'admin' },
      ],
    },
    problems: ['expected no common name but the identity\'s but got "admin"'],
  },
  {
    name: 'a second identity',
    template: { uris: [WEB, 'spiffe://shop.example/ns/default/sa/admin'] },
    problems: [
      `expected URI names [${WEB}] but got [${WEB}, spiffe://shop.example/ns/default/sa/admin]`,
    ],
  },
  {
    name: 'the right to sign certificates',
    template: { keyUsage: ['digitalSignature', 'keyCertSign'] },
    problems: ['expected key usage bits [0] but got [0, 5]'],
  },
  {
    name: 'server usage only',
    template: { extendedKeyUsage: ['serverAuth'] },
    problems: [
      'expected extended key usages [1.3.6.1.5.5.7.3.1, 1.3.6.1.5.5.7.3.2] ' +
        'but got [1.3.6.1.5.5.7.3.1]',
    ],
  },
];

describe('a leaf of an outside CA', () => {
  it.each(OUTSIDE_ROWS)('with $name', (row) => {
    const problems = certificateProblems({
      facts: signed({ ...LEAF, ...row.template }, row.signer),
      issuer: ca,
      privateKeyPem: leafKeys.privateKeyPem,
      expected: { ...WANTED, ...row.expected, kind: 'outside-workload' },
    });
    expect(problems).toEqual(row.problems);
  });
});

describe('an authority', () => {
  it.each(AUTHORITY_ROWS)('with $name', (row) => {
    const facts = signed({ ...CA, ...row.template });
    const { privateKeyPem } = caKeys;
    expect(
      certificateProblems({ facts, issuer: facts, privateKeyPem, expected: AUTHORITY }),
    ).toEqual(row.problems);
  });
});

describe('a server certificate', () => {
  const template = { ...LEAF, uris: [], extendedKeyUsage: ['serverAuth'] } as const;
  const { spiffeId: _, ...rest } = WANTED;
  const expected = { ...rest, kind: 'server' } as const;
  const { privateKeyPem } = leafKeys;

  it('has names and addresses, and no identity', () => {
    const facts = signed({ ...template, ips: ['127.0.0.1', '::1', '2001:db8::1:0:0:5'] });
    expect(certificateProblems({ facts, issuer: ca, privateKeyPem, expected })).toEqual([]);
    expect(facts.ipsHex).toEqual([
      '7f000001',
      `${'00'.repeat(15)}01`,
      '20010db8000000000001000000000005',
    ]);
  });

  it('is not a workload’s', () => {
    const facts = signed({ ...template, extendedKeyUsage: ['serverAuth', 'clientAuth'] });
    expect(certificateProblems({ facts, issuer: ca, privateKeyPem, expected })).toEqual([
      'expected extended key usages [1.3.6.1.5.5.7.3.1] ' +
        'but got [1.3.6.1.5.5.7.3.1, 1.3.6.1.5.5.7.3.2]',
    ]);
  });
});

describe('times', () => {
  it.each([
    ['2049-12-31T23:59:59.000Z', 0x17],
    ['2050-01-01T00:00:00.000Z', 0x18],
    ['2061-02-03T04:05:06.000Z', 0x18],
  ])('of %s have tag %d (RFC 5280 4.1.2.5)', (text, tag) => {
    const notAfterMs = Date.parse(text);
    const facts = signed({ ...LEAF, notAfterMs });
    expect(facts.notAfterMs).toBe(notAfterMs);
    expect(new Date(facts.x509.validTo).toISOString()).toBe(text);
    const digits = text.replace(/[-:T]|\.\d+/g, '').slice(tag === 0x17 ? 2 : 0);
    const encoded = Buffer.concat([Buffer.of(tag, digits.length), Buffer.from(digits)]);
    expect(facts.der.includes(encoded)).toBe(true);
  });
});

describe('the reader', () => {
  it('refuses every truncation of a certificate', async () => {
    const { der } = signed(LEAF);
    for (const length of [0, 1, 2, 40, der.length - 1]) {
      const error = await meshErrorOf(() => readCertificate(der.subarray(0, length)));
      expect(error.code).toBe('certificate-invalid');
    }
  });

  it('refuses bytes behind a certificate', async () => {
    const { der } = signed(LEAF);
    const error = await meshErrorOf(() => readCertificate(Buffer.concat([der, Buffer.of(0)])));
    expect(error.code).toBe('certificate-invalid');
  });

  it('agrees with node:crypto on what it reads too', () => {
    const facts = signed(LEAF);
    expect(facts.x509.serialNumber.toLowerCase()).toBe(facts.serialHex);
    expect(facts.x509.subjectAltName).toBe(`URI:${WEB}, DNS:web, DNS:web.default`);
    expect(facts.x509.keyUsage).toEqual(facts.extendedKeyUsageOids);
    expect(Date.parse(facts.x509.validFrom)).toBe(facts.notBeforeMs);
    expect(facts.x509.toString()).toBe(toPem(facts.der));
  });
});
