// Whatever an outside CA answers is used only where it is what was asked for: good answers beside
// bad ones, with the exact words.
import { describe, expect, it } from 'vitest';
import { generateKeys } from '../../../src/x509/keys/index.js';
import { splitPem } from '../../../src/x509/read/index.js';
import { expectNoKey, meshErrorOf, WEB } from '../../x509/tools.js';
import { createIntermediate, resign } from '../outside-ca.js';
import { type FakeHandler, toAnswer } from './step-ca-fake.js';
import {
  ca,
  HOUR_MS,
  MINUTE_MS,
  NOW_MS,
  other,
  REQUEST,
  setUp,
  withChain,
  withChange,
} from './step-ca-setup.js';

const ADMIN = 'spiffe://shop.example/ns/default/sa/admin';
/** How far the CA's clock may run ahead. */
const SKEW_MS = 300_000;
const iso = (timeMs: number): string => new Date(timeMs).toISOString();
const otherKeys = await generateKeys('ecdsa-p256');

interface AnswerRow {
  readonly name: string;
  readonly handle: FakeHandler;
  /** Undefined: accepted. */
  readonly problem?: string;
}

const ANSWERS: readonly AnswerRow[] = [
  { name: 'an empty subject', handle: withChange({ subject: [] }) },
  {
    name: 'a DNS name for its common name',
    handle: withChange({ subject: [{ type: 'CN', value: 'web' }] }),
  },
  { name: 'an organization', handle: withChange({ subject: [{ type: 'O', value: 'Corp' }] }) },
  { name: 'a shorter life', handle: withChange({ notAfterMs: NOW_MS + MINUTE_MS }) },
  {
    name: 'the root at its end',
    handle: (request) => withChain(request, (chain) => [...chain, ca.root.pem]),
  },
  {
    name: 'another common name',
    handle: withChange({ subject: [{ type: 'CN', value: 'admin' }] }),
    problem: `expected no common name but the identity's but got "admin"`,
  },
  {
    name: 'another key',
    handle: withChange({ publicKeyDer: otherKeys.publicKeyDer }),
    problem:
      'expected the private key of this certificate but got another; ' +
      'expected the public key of the request but got another',
  },
  {
    name: 'another identity',
    handle: withChange({ uris: [ADMIN] }),
    problem: `expected URI names [${WEB}] but got [${ADMIN}]`,
  },
  {
    name: 'a second identity',
    handle: withChange({ uris: [WEB, ADMIN] }),
    problem: `expected URI names [${WEB}] but got [${WEB}, ${ADMIN}]`,
  },
  {
    name: 'no identity',
    handle: withChange({ uris: [] }),
    problem: `expected URI names [${WEB}] but got [none]`,
  },
  {
    name: 'a name too many',
    handle: withChange({ dnsNames: ['web', 'web.default', 'admin'] }),
    problem: 'expected DNS names [web, web.default] but got [web, web.default, admin]',
  },
  {
    name: 'an address',
    handle: withChange({ ips: ['127.0.0.1'] }),
    problem: 'expected no addresses but got 1',
  },
  {
    name: 'a CA',
    handle: withChange({ isCa: true }),
    problem:
      'expected an issuer that may have CAs below it but got one of path length 0; ' +
      'expected no CA but got one',
  },
  {
    name: 'the right to sign',
    handle: withChange({ keyUsage: ['digitalSignature', 'keyCertSign'] }),
    problem: 'expected key usage bits [0] but got [0, 5]',
  },
  {
    name: 'no client usage',
    handle: withChange({ extendedKeyUsage: ['serverAuth'] }),
    problem:
      'expected extended key usages [1.3.6.1.5.5.7.3.1, 1.3.6.1.5.5.7.3.2] ' +
      'but got [1.3.6.1.5.5.7.3.1]',
  },
  {
    name: 'a longer life',
    handle: withChange({ notAfterMs: NOW_MS + 2 * HOUR_MS }),
    problem:
      `expected an end until ${iso(NOW_MS + HOUR_MS + SKEW_MS)} ` +
      `but got ${iso(NOW_MS + 2 * HOUR_MS)}`,
  },
  {
    name: 'a begin to come',
    handle: withChange({ notBeforeMs: NOW_MS + 1000 }),
    problem:
      `expected one in force at ${iso(NOW_MS)} but it begins ${iso(NOW_MS + 1000)}: ` +
      "compare this machine's clock with the CA's",
  },
  {
    name: 'an end that is near',
    handle: withChange({ notAfterMs: NOW_MS + 4000 }),
    problem:
      `expected one in force at ${iso(NOW_MS)} and for a while ` +
      `but it ends ${iso(NOW_MS + 4000)}: ` +
      "compare this machine's clock with the CA's",
  },
  {
    name: 'a serial of 4 bytes',
    handle: withChange({ serialHex: '40112233' }),
    problem: 'expected a serial of 8 to 20 bytes but got 4',
  },
  {
    name: 'a chain of another root',
    handle: (request) => toAnswer(request, { ca: other, nowMs: NOW_MS }),
    problem: 'expected a chain that ends at a root of authority.stepCa.root but got another one',
  },
  {
    name: 'a leaf that another intermediate signed',
    handle: (request) =>
      withChain(request, () => [
        (toAnswer(request, { ca: other, nowMs: NOW_MS }).body as { crt: string }).crt,
        ca.intermediate.pem,
      ]),
    problem:
      "expected its issuer's name but got another one; " +
      'expected authority key identifier <id> but got <id>; ' +
      "expected a signature by its issuer's key but got another one",
  },
  {
    name: 'the leaf alone',
    handle: (request) => withChain(request, (chain) => chain.slice(0, 1)),
    problem: 'expected a leaf and its issuer but got one certificate',
  },
  {
    name: 'too many certificates',
    handle: (request) => withChain(request, (chain) => Array(4).fill(chain).flat()),
    problem: 'expected at most 6 certificates but got 8',
  },
  {
    name: 'an ended intermediate',
    handle: (request) =>
      toAnswer(request, { ca: { ...ca, intermediate: endedIntermediate }, nowMs: NOW_MS }),
    problem: `issuer 1: expected one in force but it ended ${iso(NOW_MS - 1000)}`,
  },
  {
    name: 'an intermediate of another trust domain',
    handle: (request) =>
      toAnswer(request, { ca: { ...ca, intermediate: strangeIntermediate }, nowMs: NOW_MS }),
    problem: 'issuer 1: expected URI names [spiffe://shop.example] but got [spiffe://corp.example]',
  },
];

const endedIntermediate = await createIntermediate(ca.root, {
  nowMs: NOW_MS,
  intermediate: { notAfterMs: NOW_MS - 1000 },
});
const strangeIntermediate = await createIntermediate(ca.root, {
  nowMs: NOW_MS,
  intermediate: { uris: ['spiffe://corp.example'] },
});

describe('an answer with', () => {
  it.each(ANSWERS)('$name', async ({ handle, problem }) => {
    const { authority } = await setUp({ handle });
    if (problem === undefined) {
      const leaf = await authority.issueLeaf(REQUEST);
      expect(splitPem(leaf.chainPem)).toHaveLength(2);
      return;
    }
    const error = await meshErrorOf(() => authority.issueLeaf(REQUEST));
    expectNoKey(error);
    expect([error.code, error.message.replace(/[0-9a-f]{40}/g, '<id>')]).toEqual([
      'certificate-invalid',
      `the CA's certificate is not what was asked for: ${problem}`,
    ]);
  });

  it('encipherment for an RSA key is fine, for an EC key it is not', async () => {
    // digitalSignature; and with keyEncipherment beside it (RFC 5280 4.2.1.3).
    const [from, to] = [Buffer.from('03020780', 'hex'), Buffer.from('030205a0', 'hex')];
    const { authority } = await setUp({
      handle: (request) =>
        withChain(request, ([leaf = '', ...above]) => [
          resign(leaf, { issuer: ca.intermediate, from, to }),
          ...above,
        ]),
    });
    expect(await authority.issueLeaf({ ...REQUEST, key: 'rsa-2048' })).toMatchObject({
      keyType: 'rsa-2048',
    });
    const error = await meshErrorOf(() => authority.issueLeaf(REQUEST));
    expect(error.message).toContain('expected key usage bits [0] but got [0, 2]');
  });
});
