// Every MUST of X509-SVID sections 2 to 5, and the rules of RFC 5280 that our x509 rooms name, on
// certificates put together field by field: a row breaks one rule, or shows what is still allowed.
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import {
  certificateProblems,
  type Expectation,
  type ExpectedLeaf,
} from '../../src/x509/check/index.js';
import { derInteger, derOctetString } from '../../src/x509/der/der-writer.js';
import { toSubjectDer } from '../../src/x509/issue/sign.js';
import {
  type CertificateFacts,
  readCertificate,
  readOwnCertificate,
} from '../../src/x509/read/index.js';
import {
  DER_TRUE,
  ECDSA_SHA384,
  EMPTY,
  EXTENSIONS,
  GENERAL_NAME,
  generalizedTime,
  type RawCertificate,
  type RawExtension,
  signRaw,
  utcTime,
} from './raw-certificate.js';
import {
  CA,
  CA_EXTENSIONS,
  CLIENT_AUTH,
  CRL_SIGN,
  caKeyId,
  caKeys,
  DIGITAL_SIGNATURE,
  type Extensions,
  HOUR_MS,
  KEY_CERT_SIGN,
  LEAF,
  LEAF_EXTENSIONS,
  leafKeyId,
  leafKeys,
  NOW_MS,
  SERVER_AUTH,
  TRUST_DOMAIN,
} from './svid-parts.js';
import { WEB } from './tools.js';

interface Row {
  /** The clause, then what is in the certificate. */
  readonly name: string;
  readonly fields?: Partial<Omit<RawCertificate, 'extensions'>>;
  /** Beside those of a good one, or instead of them by name; undefined: left out. */
  readonly extensions?: Readonly<Record<string, RawExtension | undefined>>;
  /** Of a leaf. */
  readonly expected?: Partial<Pick<ExpectedLeaf, 'spiffeId' | 'dnsNames'>>;
  /** Of a signing certificate. */
  readonly expectedId?: string | undefined;
  /** None: the row is accepted. `unreadable`: the readers refuse it. */
  readonly problems: readonly string[] | 'unreadable';
}

const TOLD = {
  critical: 'expected a critical key usage but got none',
  noConstraints: 'expected critical basic constraints but got none',
  uris: (...got: readonly string[]) =>
    `expected URI names [${WEB}] but got [${got.length === 0 ? 'none' : got.join(', ')}]`,
};
const CRITICAL = { critical: true } as const;
const CASUAL = { critical: false } as const;

const LEAF_ROWS: readonly Row[] = [
  { name: 'as it must be', problems: [] },
  // X509-SVID 2, 3.1: the identity.
  {
    name: 'SVID 2: exactly one URI: none',
    extensions: { names: EXTENSIONS.names(GENERAL_NAME.dns('web')) },
    problems: [TOLD.uris()],
  },
  {
    name: 'SVID 2: exactly one URI: two',
    extensions: {
      names: EXTENSIONS.names(
        GENERAL_NAME.uri(WEB),
        GENERAL_NAME.uri('https://shop.example/'),
        GENERAL_NAME.dns('web'),
      ),
    },
    problems: [TOLD.uris(WEB, 'https://shop.example/')],
  },
  {
    name: 'SVID 2: other names beside it may be: two DNS names',
    extensions: {
      names: EXTENSIONS.names(
        GENERAL_NAME.dns('web'),
        GENERAL_NAME.dns('web.default'),
        GENERAL_NAME.uri(WEB),
      ),
    },
    expected: { dnsNames: ['web', 'web.default'] },
    problems: [],
  },
  {
    name: 'SVID 2: a name that nobody asked for: an e-mail address',
    extensions: {
      names: EXTENSIONS.names(
        GENERAL_NAME.uri(WEB),
        GENERAL_NAME.dns('web'),
        GENERAL_NAME.email('a@shop.example'),
      ),
    },
    problems: ['expected no names of other kinds but got 1'],
  },
  {
    name: 'SVID 3.1: a leaf has a path',
    extensions: {
      names: EXTENSIONS.names(GENERAL_NAME.uri(TRUST_DOMAIN), GENERAL_NAME.dns('web')),
    },
    expected: { spiffeId: TRUST_DOMAIN },
    problems: [`expected a workload's SPIFFE ID, with a path, but got ${TRUST_DOMAIN}`],
  },
  {
    name: 'SVID 3.1: a leaf has an ID',
    extensions: { names: EXTENSIONS.names(GENERAL_NAME.dns('web')) },
    problems: [`expected URI names [${WEB}] but got [none]`],
  },
  // X509-SVID 4.1, 4.2, 4.3, 4.4.
  {
    name: 'SVID 4.1: cA false',
    extensions: { constraints: EXTENSIONS.basicConstraints(DER_TRUE) },
    problems: [
      'expected an issuer that may have CAs below it but got one of path length 0',
      'expected no CA but got one',
    ],
  },
  {
    name: 'RFC 5280 4.2.1.9: no path length without cA',
    extensions: { constraints: EXTENSIONS.basicConstraints(derInteger(Buffer.of(0))) },
    problems: ['expected no path length but got one'],
  },
  {
    name: 'SVID 4.1: without basic constraints it is no CA either',
    extensions: { constraints: undefined },
    problems: [],
  },
  {
    name: 'SVID 4.3: key usage must be there',
    extensions: { usage: undefined },
    problems: [TOLD.critical, 'expected key usage bits [0] but got [none]'],
  },
  {
    name: 'SVID 4.3: key usage must be critical',
    extensions: { usage: { ...EXTENSIONS.keyUsage(DIGITAL_SIGNATURE), ...CASUAL } },
    problems: [TOLD.critical],
  },
  ...[KEY_CERT_SIGN, CRL_SIGN].map((bit) => ({
    name: `SVID 4.3: a leaf must not have key usage ${bit}`,
    extensions: { usage: EXTENSIONS.keyUsage(DIGITAL_SIGNATURE, bit) },
    problems: [`expected key usage bits [0] but got [0, ${bit}]`],
  })),
  {
    name: 'SVID 4.3: a leaf must have digitalSignature',
    extensions: { usage: EXTENSIONS.keyUsage(2) },
    problems: ['expected key usage bits [0] but got [2]'],
  },
  {
    name: 'SVID 4.4: both usages, in any order, critical or not',
    extensions: {
      extendedUsage: { ...EXTENSIONS.extendedKeyUsage(CLIENT_AUTH, SERVER_AUTH), ...CRITICAL },
    },
    problems: [],
  },
  {
    name: 'SVID 4.4: no extended key usage',
    extensions: { extendedUsage: undefined },
    problems: [`expected extended key usages [${SERVER_AUTH}, ${CLIENT_AUTH}] but got [none]`],
  },
  {
    name: 'SVID 4.4: any purpose beside them',
    extensions: {
      extendedUsage: EXTENSIONS.extendedKeyUsage(SERVER_AUTH, CLIENT_AUTH, '2.5.29.37.0'),
    },
    problems: [
      `expected extended key usages [${SERVER_AUTH}, ${CLIENT_AUTH}] ` +
        `but got [${SERVER_AUTH}, ${CLIENT_AUTH}, 2.5.29.37.0]`,
    ],
  },
  // RFC 5280 4.1: the fields.
  {
    name: 'RFC 5280 4.1.2.1: version 2 with extensions',
    fields: { version: Buffer.from('a003020101', 'hex') },
    problems: ['expected version 3 but got 2'],
  },
  {
    name: 'RFC 5280 4.1.2.2: serial zero',
    fields: { serial: derInteger(Buffer.of(0)) },
    problems: [
      'expected a positive serial but got a negative one or zero',
      'expected a serial of 8 to 20 bytes but got 1',
    ],
  },
  {
    name: 'RFC 5280 4.1.2.2: a serial of 20 bytes',
    fields: { serial: derInteger(Buffer.alloc(20, 0x7f)) },
    problems: [],
  },
  {
    name: 'RFC 5280 4.1.1.2: another algorithm outside than inside',
    fields: { outerAlgorithm: ECDSA_SHA384 },
    problems: ["expected a signature by its issuer's key but got another one"],
  },
  {
    name: 'RFC 5280 4.1.1.2: another algorithm inside than outside',
    fields: { innerAlgorithm: ECDSA_SHA384 },
    problems: ["expected a signature by its issuer's key but got another one"],
  },
  {
    name: 'RFC 5280 4.1.1.3: a signature of a broken number of bytes',
    fields: { unusedBits: 3 },
    problems: 'unreadable',
  },
  {
    name: 'RFC 5280 4.1.2.5: GeneralizedTime before 2050',
    fields: { notAfter: generalizedTime('20260101130000Z') },
    problems: 'unreadable',
  },
  {
    name: 'RFC 5280 4.1.2.5: UTCTime',
    fields: { notAfter: utcTime('260101130000Z') },
    problems: [],
  },
  ...['2601011300Z', '260101130000+0000', '261301130000Z', '260230130000Z', '260101250000Z'].map(
    (digits) => ({
      name: `RFC 5280 4.1.2.5: UTCTime ${digits}`,
      fields: { notAfter: utcTime(digits) },
      problems: 'unreadable' as const,
    }),
  ),
  {
    name: 'RFC 5280 4.1.2.6: a subject, with a SAN that is not critical',
    fields: { subject: toSubjectDer([{ type: 'CN', value: 'admin' }]) },
    extensions: {
      names: { ...EXTENSIONS.names(GENERAL_NAME.uri(WEB), GENERAL_NAME.dns('web')), ...CASUAL },
    },
    problems: [
      'expected an empty subject but got a name',
      'expected a critical subject alternative name, as the subject is empty, but got none',
    ],
  },
  {
    name: 'RFC 5280 4.2.1.6: an empty subject, with a SAN that is not critical',
    extensions: {
      names: { ...EXTENSIONS.names(GENERAL_NAME.uri(WEB), GENERAL_NAME.dns('web')), ...CASUAL },
    },
    problems: [
      'expected a critical subject alternative name, as the subject is empty, but got none',
    ],
  },
  {
    name: 'RFC 5280 4.2.1.6: no SAN',
    extensions: { names: undefined },
    problems: [
      TOLD.uris(),
      'expected DNS names [web] but got [none]',
      'expected a critical subject alternative name, as the subject is empty, but got none',
    ],
  },
  // RFC 5280 4.2: the extensions.
  {
    name: 'RFC 5280 4.2: an unknown extension that is not critical',
    extensions: { odd: { oid: '1.2.3.4', critical: false, value: EMPTY } },
    problems: [],
  },
  {
    name: 'RFC 5280 4.2: an unknown extension that is critical',
    extensions: { odd: { oid: '1.2.3.4', critical: true, value: EMPTY } },
    problems: ['expected no critical extension that verifiers may not know but got 1.2.3.4'],
  },
  {
    name: 'RFC 5280 4.2: an extension twice',
    extensions: { again: EXTENSIONS.keyUsage(DIGITAL_SIGNATURE) },
    problems: 'unreadable',
  },
  {
    name: 'RFC 5280 4.2.1.2: no key identifier',
    extensions: { keyId: undefined },
    problems: ['expected a subject key identifier but got none'],
  },
  {
    name: 'RFC 5280 4.2.1.2: a critical key identifier',
    extensions: { keyId: { ...EXTENSIONS.keyId(leafKeyId), ...CRITICAL } },
    problems: ['expected a key identifier that is not critical but got 2.5.29.14 critical'],
  },
  {
    name: "RFC 5280 4.2.1.1: no issuer's key identifier",
    extensions: { issuerKeyId: undefined },
    problems: [`expected authority key identifier ${caKeyId} but got undefined`],
  },
  {
    name: "RFC 5280 4.2.1.1: a critical issuer's key identifier",
    extensions: { issuerKeyId: { ...EXTENSIONS.issuerKeyId(caKeyId), ...CRITICAL } },
    problems: ['expected a key identifier that is not critical but got 2.5.29.35 critical'],
  },
  {
    name: 'RFC 5280 4.2: bytes behind the value of an extension',
    extensions: {
      keyId: {
        oid: '2.5.29.14',
        critical: false,
        value: Buffer.concat([derOctetString(Buffer.from(leafKeyId, 'hex')), Buffer.of(5, 0)]),
      },
    },
    problems: 'unreadable',
  },
];

const AUTHORITY_ROWS: readonly Row[] = [
  { name: 'as it must be', problems: [] },
  {
    name: 'SVID 3.2: a signing certificate has no path',
    extensions: { names: { ...EXTENSIONS.names(GENERAL_NAME.uri(WEB)), ...CASUAL } },
    expectedId: WEB,
    problems: [`expected a trust domain's SPIFFE ID, without a path, but got ${WEB}`],
  },
  {
    name: 'SVID 3.2: a signing certificate may have no ID',
    extensions: { names: undefined },
    expectedId: undefined,
    problems: [],
  },
  {
    name: 'SVID 4.1: cA true',
    extensions: { constraints: EXTENSIONS.basicConstraints() },
    problems: [
      'expected an issuer that may sign certificates but got one that may not',
      'expected a CA but got none',
      'expected path length 0 but got undefined',
    ],
  },
  {
    name: 'SVID 4.1: basic constraints must be there',
    extensions: { constraints: undefined },
    problems: [
      'expected an issuer that may sign certificates but got one that may not',
      'expected a CA but got none',
      TOLD.noConstraints,
      'expected path length 0 but got undefined',
    ],
  },
  {
    name: 'RFC 5280 4.2.1.9: basic constraints of a CA must be critical',
    extensions: {
      constraints: {
        ...EXTENSIONS.basicConstraints(DER_TRUE, derInteger(Buffer.of(0))),
        ...CASUAL,
      },
    },
    problems: [TOLD.noConstraints],
  },
  {
    name: 'SVID 4.3: a signing certificate must have keyCertSign',
    extensions: { usage: EXTENSIONS.keyUsage(CRL_SIGN) },
    problems: [
      'expected an issuer that may sign certificates but got one that may not',
      'expected key usage bits [5, 6] but got [6]',
    ],
  },
  {
    name: 'RFC 5280 4.1.2.6: a CA has a subject',
    fields: { subject: EMPTY, issuer: EMPTY },
    problems: ['expected a subject but got an empty one'],
  },
];

function withExtensions(base: Extensions, row: Row): readonly RawExtension[] {
  return Object.values({ ...base, ...row.extensions }).filter((one) => one !== undefined);
}

/** What each reader makes of it: both must judge alike. */
function judge(der: Buffer, row: Row, judged: (facts: CertificateFacts) => readonly string[]) {
  const readers = [readCertificate, readOwnCertificate];
  return readers.map((read) => {
    try {
      return judged(read(der));
    } catch (error) {
      if (error instanceof MeshError && error.code === 'certificate-invalid') return 'unreadable';
      throw new Error(`${row.name}: expected a MeshError`, { cause: error });
    }
  });
}

describe('an X.509-SVID', () => {
  const ca = readCertificate(
    signRaw({ ...CA, extensions: Object.values(CA_EXTENSIONS) }, caKeys.privateKeyPem),
  );
  const expected = {
    kind: 'workload',
    spiffeId: WEB,
    dnsNames: ['web'],
    earliestBeginMs: NOW_MS - 300_000,
    latestEndMs: NOW_MS + HOUR_MS,
  } as const satisfies Expectation;

  it.each(LEAF_ROWS)('$name', (row) => {
    const raw = { ...LEAF, ...row.fields, extensions: withExtensions(LEAF_EXTENSIONS, row) };
    const der = signRaw(raw, caKeys.privateKeyPem);
    const found = judge(der, row, (facts) =>
      certificateProblems({
        facts,
        issuer: ca,
        privateKeyPem: leafKeys.privateKeyPem,
        expected: { ...expected, ...row.expected },
      }),
    );
    expect(found).toEqual([row.problems, row.problems]);
  });

  it('is not asked for without an ID', () => {
    const { spiffeId: _, ...rest } = expected;
    // @ts-expect-error SVID 3.1: a leaf has an ID
    const without: Expectation = rest;
    expect(without).not.toHaveProperty('spiffeId');
  });

  // Its reading takes longer than all else that issuing does (`npm run bench -- --only issue`).
  it('of ours is judged without OpenSSL', () => {
    const raw = { ...LEAF, extensions: Object.values(LEAF_EXTENSIONS) };
    const read = readOwnCertificate(signRaw(raw, caKeys.privateKeyPem));
    const facts: CertificateFacts = Object.create(read, {
      x509: {
        get: () => {
          throw new Error('expected the strict reader alone');
        },
      },
    });
    const { privateKeyPem } = leafKeys;
    expect(certificateProblems({ facts, issuer: ca, privateKeyPem, expected })).toEqual([]);
  });
});

describe('a signing certificate', () => {
  it.each(AUTHORITY_ROWS)('$name', (row) => {
    const raw = { ...CA, ...row.fields, extensions: withExtensions(CA_EXTENSIONS, row) };
    const der = signRaw(raw, caKeys.privateKeyPem);
    const found = judge(der, row, (facts) =>
      certificateProblems({
        facts,
        issuer: facts,
        privateKeyPem: caKeys.privateKeyPem,
        expected: {
          kind: 'authority',
          spiffeId: 'expectedId' in row ? row.expectedId : TRUST_DOMAIN,
          pathLength: 0,
          earliestBeginMs: 0,
          latestEndMs: NOW_MS + 200 * HOUR_MS,
        },
      }),
    );
    expect(found).toEqual([row.problems, row.problems]);
  });
});

describe('a key', () => {
  it.each([
    ['its own, which OpenSSL encoded with another line end', (pem: string) => `${pem}\n`, true],
    ['none', () => '-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n', false],
    ['of another kind', () => RSA_PEM, false],
  ])('%s', (_name, change, belongs) => {
    const ca = readCertificate(
      signRaw({ ...CA, extensions: Object.values(CA_EXTENSIONS) }, caKeys.privateKeyPem),
    );
    const privateKeyPem = change(caKeys.privateKeyPem);
    const problems = certificateProblems({
      facts: ca,
      issuer: ca,
      privateKeyPem,
      expected: {
        kind: 'authority',
        spiffeId: TRUST_DOMAIN,
        pathLength: 0,
        earliestBeginMs: 0,
        latestEndMs: NOW_MS + 200 * HOUR_MS,
      },
    });
    const told = ['expected the private key of this certificate but got another'];
    expect(problems).toEqual(belongs ? [] : told);
  });
});

const RSA_PEM = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
}).privateKey;
