// The small languages inside rules: callers and paths, read and matched; and names of services.
import { expect, test } from 'vitest';
import { tryCaller } from '../../src/policy/caller.js';
import { callerMatches, pathMatches, serviceName, tryServiceName } from '../../src/policy/index.js';
import { tryPathPattern } from '../../src/policy/path-pattern.js';

const paths: [pattern: string, matches: string[], misses: string[]][] = [
  ['*', ['/', '/a/b'], []],
  ['/v1', ['/v1'], ['/v1/', '/v', '/V1']],
  ['/v1/*', ['/v1', '/v1/', '/v1/a/b'], ['/v10', '/v', '/']],
  ['/v1*', ['/v1', '/v10', '/v1/a'], ['/v']],
  ['/*', ['/', '/a/b'], []],
  ['*.jpg', ['/a/b.jpg'], ['/a/b.jpeg', '/jpg']],
  ['/a/{*}/b', ['/a/x/b'], ['/a//b', '/a/x/y/b', '/a/b']],
  ['/a/{**}', ['/a/', '/a/x', '/a/x/y'], ['/a', '/b']],
  ['/a.b/{*}', ['/a.b/x'], ['/aXb/x']],
  ['/{*}/b/{**}', ['/x/b/', '/x/b/c/d'], ['/x/c/']],
  ['/%20', ['/%20'], ['/ ']],
];

test.each(paths)('%s matches what MODEL.md says', (text, matches, misses) => {
  const pattern = tryPathPattern(text);
  if (!pattern.ok) throw new Error(`refused ${text}`);
  expect(matches.filter((path) => !pathMatches(pattern.value, path))).toEqual([]);
  expect(misses.filter((path) => pathMatches(pattern.value, path))).toEqual([]);
});

const ONE_STAR = 'one * in a path, or {*} and {**}';
const badPaths: [pattern: string, expected: string][] = [
  ['', 'a path that begins with / or *'],
  ['v1', 'a path that begins with / or *'],
  ['/a#b', 'a path without query and fragment'],
  ['/a*b', '* at one end of a path'],
  ['*a*', ONE_STAR],
  ['/a/**', ONE_STAR],
  ['/{*}/*', ONE_STAR],
  ['/{x}', '{*} or {**} as a whole segment of a path'],
  ['/a{*}', '{*} or {**} as a whole segment of a path'],
  ['/{**}/{*}', '{**} as the last placeholder of a path'],
  ['/a=b/{*}', '{*} or {**} as a whole segment of a path'],
  ['/a b', 'a path of the characters that URLs allow'],
  ['/a\\b', 'a path of the characters that URLs allow'],
  ['/%zz', 'a path of the characters that URLs allow'],
  ['/%61dmin', 'a path without %61, which is never left in a normalised path'],
  ['/a%2fb', 'a path without %2f, which is never left in a normalised path'],
  ['/a//b', 'a normalised path'],
  ['/a/../b', 'a normalised path'],
  ['/a/.', 'a normalised path'],
];

test.each(badPaths)('refuses the path %j', (text, expected) => {
  expect(tryPathPattern(text)).toMatchObject({ ok: false, expected });
});

const ME = 'spiffe://shop.example/ns/payments/sa/ledger';
const callers: [from: string, spiffeId: string | undefined, matches: boolean][] = [
  ['anyone', undefined, true],
  ['anyone', ME, true],
  ['anyone', 'spiffe://other/x', true],
  ['*', ME, true],
  ['*', undefined, false],
  ['*', 'spiffe://other/x', false],
  ['*', 'spiffe://shop.example.evil/x', false],
  ['payments/*', ME, true],
  ['payment/*', ME, false],
  ['payments/*', 'spiffe://other/ns/payments/sa/ledger', false],
  ['payments/*', undefined, false],
  [ME, ME, true],
  [ME, `${ME}2`, false],
  ['spiffe://shop.example/ns/payments/*', ME, true],
  ['spiffe://shop.example/ns/pay*', ME, true],
  ['spiffe://other/*', 'spiffe://other/x', true],
  ['spiffe://other/*', undefined, false],
];

test.each(callers)('from %s, called by %s: %s', (from, spiffeId, matches) => {
  const caller = tryCaller(from);
  if (!caller.ok || caller.value.kind === 'service') throw new Error(`refused ${from}`);
  expect(callerMatches(caller.value, { spiffeId, trustDomain: 'shop.example' })).toBe(matches);
});

test('a service is matched by its identity alone', () => {
  const caller = {
    kind: 'service',
    service: serviceName('payments/ledger'),
    spiffeId: ME,
  } as const;
  expect(callerMatches(caller, { spiffeId: ME, trustDomain: 'shop.example' })).toBe(true);
  expect(callerMatches(caller, { spiffeId: undefined, trustDomain: 'shop.example' })).toBe(false);
});

const names: [text: string, name: string | undefined][] = [
  ['web', 'web'],
  ['default/web', 'web'],
  ['payments/ledger', 'payments/ledger'],
  ['a/b/c', undefined],
  ['Web', undefined],
  ['-web', undefined],
  ['', undefined],
  ['payments/', undefined],
  ['inherit', undefined],
  ['a'.repeat(63), 'a'.repeat(63)],
  ['a'.repeat(64), undefined],
];

test.each(names)('the service name %j', (text, name) => {
  expect(tryServiceName(text)).toBe(name);
  if (name === undefined)
    expect(() => serviceName(text)).toThrow(/^expected a service name but got "/);
  else expect(serviceName(text)).toBe(name);
});
