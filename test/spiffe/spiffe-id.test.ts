import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isWorkloadIdPrefix,
  namespacePrefix,
  parseSpiffeId,
  splitSpiffeId,
  toSpiffeId,
  toTrustDomainId,
} from '../../src/spiffe/index.js';
import { meshErrorOf } from '../x509/tools.js';

const long = (length: number): string => 'a'.repeat(length);
const SEGMENT_RULE = 'expected a path segment of letters, digits, ".", "_" and "-"';

const ACCEPTED: readonly string[] = [
  'spiffe://shop.example',
  'spiffe://shop.example/ns/default/sa/web',
  'spiffe://a/b',
  'spiffe://1_2-3.example/Upper.case_and-all/...',
  `spiffe://${long(255)}`,
  `spiffe://a/${long(2037)}`,
];

const REJECTED: readonly (readonly [string, string])[] = [
  ['', 'expected a SPIFFE ID that starts with "spiffe://" but got ""'],
  ['https://a/b', 'expected a SPIFFE ID that starts with "spiffe://" but got "https://a/b"'],
  ['SPIFFE://a/b', 'expected a SPIFFE ID that starts with "spiffe://" but got "SPIFFE://a/b"'],
  ['spiffe:///b', 'expected a trust domain but got nothing in "spiffe:///b"'],
  [
    'spiffe://Shop/b',
    'expected a trust domain of a-z, 0-9, ".", "_" and "-" but got "Shop" in "spiffe://Shop/b"',
  ],
  [
    'spiffe://a:80/b',
    'expected a trust domain of a-z, 0-9, ".", "_" and "-" but got "a:80" in "spiffe://a:80/b"',
  ],
  [
    'spiffe://u@a/b',
    'expected a trust domain of a-z, 0-9, ".", "_" and "-" but got "u@a" in "spiffe://u@a/b"',
  ],
  [
    'spiffe://a?q',
    'expected a trust domain of a-z, 0-9, ".", "_" and "-" but got "a?q" in "spiffe://a?q"',
  ],
  ['spiffe://a/', 'expected a path segment but got an empty one in "spiffe://a/"'],
  ['spiffe://a/b/', 'expected a path segment but got an empty one in "spiffe://a/b/"'],
  ['spiffe://a//b', 'expected a path segment but got an empty one in "spiffe://a//b"'],
  ['spiffe://a/./b', 'expected a path segment but got "." in "spiffe://a/./b"'],
  ['spiffe://a/b/..', 'expected a path segment but got ".." in "spiffe://a/b/.."'],
  ['spiffe://a/b?q=1', `${SEGMENT_RULE} but got "b?q=1" in "spiffe://a/b?q=1"`],
  ['spiffe://a/b#f', `${SEGMENT_RULE} but got "b#f" in "spiffe://a/b#f"`],
  ['spiffe://a/%62', `${SEGMENT_RULE} but got "%62" in "spiffe://a/%62"`],
  ['spiffe://a/é', `${SEGMENT_RULE} but got "é" in "spiffe://a/é"`],
  ['spiffe://a/b\n', `${SEGMENT_RULE} but got "b\\n" in "spiffe://a/b\\n"`],
  [`spiffe://a/${long(2038)}`, 'expected a SPIFFE ID of at most 2048 bytes but got a longer one'],
];

describe('parseSpiffeId', () => {
  it.each(ACCEPTED)('accepts %s', (text) => {
    expect(parseSpiffeId(text)).toBe(text);
  });

  it.each(REJECTED)('refuses %j', async (text, message) => {
    expect(await meshErrorOf(() => parseSpiffeId(text))).toMatchObject({
      code: 'identity-invalid',
      message,
    });
  });

  it('refuses a trust domain of 256 bytes', async () => {
    const error = await meshErrorOf(() => parseSpiffeId(`spiffe://${long(256)}`));
    expect(error.message).toMatch(/^expected a trust domain of at most 255 bytes but got 256 in /);
  });
});

describe('what IDs may begin with', () => {
  it.each(['spiffe://a/', 'spiffe://a/n', 'spiffe://a/ns/', 'spiffe://a/ns/x/sa/le'])(
    '%s',
    (text) => {
      expect(isWorkloadIdPrefix(text)).toBe(true);
    },
  );

  it.each([
    ...[
      '',
      'spiffe://',
      'spiffe://a',
      'spiffe:///',
      'spiffe://A/',
      'spiffe://a//',
      'spiffe://a/b//',
    ],
    ...['spiffe://a/..', 'spiffe://a/./', 'spiffe://a/%2e', 'spiffe://a:1/', 'https://a/'],
    `spiffe://a/${long(2048)}`,
  ])('not %s', (text) => {
    expect(isWorkloadIdPrefix(text)).toBe(false);
  });

  it('every ID of a namespace begins with its prefix, and no ID of another does', () => {
    const [own, other] = ['payments', 'pay'].map((namespace) =>
      toSpiffeId({ trustDomain: 'shop.example', namespace, serviceAccount: 'ledger' }),
    );
    const prefix = namespacePrefix('shop.example', 'pay');
    expect([own, other].map((id) => id?.startsWith(prefix))).toEqual([false, true]);
  });
});

describe('toSpiffeId', () => {
  it('names a workload', () => {
    const parts = { trustDomain: 'shop.example', namespace: 'payments', serviceAccount: 'ledger' };
    expect(toSpiffeId(parts)).toBe('spiffe://shop.example/ns/payments/sa/ledger');
    expect(toTrustDomainId('shop.example')).toBe('spiffe://shop.example');
  });

  it.each([
    { trustDomain: 'a/b', namespace: 'n', serviceAccount: 's' },
    { trustDomain: 'a', namespace: 'n/sa/admin', serviceAccount: 's' },
    { trustDomain: 'a', namespace: 'n', serviceAccount: '..' },
    { trustDomain: 'a', namespace: '', serviceAccount: 's' },
    { trustDomain: 'a', namespace: 'n', serviceAccount: 's?' },
  ])(
    'refuses parts that would make another ID: $trustDomain $namespace $serviceAccount',
    async (parts) => {
      expect((await meshErrorOf(() => toSpiffeId(parts))).code).toBe('identity-invalid');
    },
  );

  it('gives what splitSpiffeId takes apart again', () => {
    const segment = fc
      .stringMatching(/^[a-zA-Z0-9._-]{1,30}$/)
      .filter((text) => text !== '.' && text !== '..');
    const domain = fc.stringMatching(/^[a-z0-9._-]{1,40}$/);
    fc.assert(
      fc.property(domain, segment, segment, (trustDomain, namespace, serviceAccount) => {
        const id = toSpiffeId({ trustDomain, namespace, serviceAccount });
        const path = `/ns/${namespace}/sa/${serviceAccount}`;
        expect(splitSpiffeId(id)).toEqual({ trustDomain, path });
      }),
      { seed: 1 },
    );
  });
});
