// What takes a path away takes it in every spelling that an application may read as that path, and
// no other path: compared with a reader that tries each way to read.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PathPattern } from '../../src/policy/index.js';
import { templateRegex, tryPathPattern } from '../../src/policy/path-pattern.js';
import { isSpellingOf } from '../../src/policy/path-spellings.js';

function patternOf(text: string): PathPattern {
  const pattern = tryPathPattern(text);
  if (!pattern.ok) throw new Error(`refused ${text}`);
  return pattern.value;
}

const same: [pattern: string, spellings: string[], others: string[]][] = [
  [
    '/users:reset',
    ['/users:reset', '/users%3Areset', '/users%3areset', '/users:reset/', '/users:reset;v=1'],
    ['/users', '/users:resets', '/users%253Areset', '/x/users:reset', '/USERS:reset'],
  ],
  [
    "/a@,+=$!&'()b",
    ["/a@,+=$!&'()b", '/a%40%2C%2B%3D%24%21%26%27%28%29b', "/a%40,%2b=$%21&'(%29b"],
    ['/a@,+=$!&()b'],
  ],
  ['/caf%C3%A9', ['/caf%C3%A9', '/caf%c3%a9', '/caf%C3%a9'], ['/caf%C3%A8', '/cafe']],
  ['/a%20b', ['/a%20b'], ['/a+b', '/ab']],
  ['/a%7Cb', ['/a%7Cb', '/a%7cb', '/a|b'], ['/ab']],
  ['/a.b', ['/a.b'], ['/aXb']],
  [
    '/v1/secret',
    [
      ...['/v1/secret/', '/v1;a=1/secret', '/v1/secret;a/', '/v1/;a/secret', '/v1/secret/;a'],
      ...['/;/v1/secret', '/v1%2Fsecret', '/v1%5csecret', '/v1;a%2Fsecret', '/v1%3Ba/secret'],
      ...['/v1//secret', '/v1;a=%2F/secret', '/v1/secret%3B'],
    ],
    ['/v1', '/v1/secret/x', '/v1/secrets', '/v1;/x/secret', '/v1/a;secret', '/v1/;secret'],
  ],
  ['/a/', ['/a', '/a/', '/a;x'], ['/a/b']],
  ['/', ['/', '/;x', '//'], ['/a']],
  ['/v1/*', ['/v1', '/v1/', '/v1;', '/v1;x/y', '/v1%2Fy', '/v1/y;z'], ['/v10', '/v1:']],
  ['/v1*', ['/v1', '/v10', '/v1;x'], ['/v;1']],
  ['*.css', ['/a.css', '/a/b.css;v=2', '/a.css/'], ['/a.csss', '/a.css/b']],
  ['*/admin', ['/admin', '/x%2Fadmin', '/x/admin;a/'], ['/xadmin']],
  ['/a/{*}/b', ['/a/x/b', '/a/x;y/b/', '/a/x%2Fy/b', '/a/;y/x/b'], ['/a/b', '/a/x/y/b']],
  ['/a/{**}', ['/a', '/a/', '/a/x/y', '/a;x', '/a%2fx'], ['/ab', '/b']],
  ['/{**}', ['/', '/a'], []],
  ['/a/{**}/b', ['/a/x/b', '/a/x/y/b;z'], ['/a/b', '/a/xb']],
  ['*', ['/', '/a/b'], []],
];

test.each(same)('%s takes every spelling of it', (text, spellings, others) => {
  const pattern = patternOf(text);
  expect(spellings.filter((path) => !isSpellingOf(pattern, path))).toEqual([]);
  expect(others.filter((path) => isSpellingOf(pattern, path))).toEqual([]);
});

const RAW_SLASH = '/';
const OPAQUE = '\u0001';
/** How each piece of a path may be read; more than one where applications differ. */
const READ: Readonly<Record<string, readonly string[]>> = {
  '%2F': ['/', OPAQUE],
  '%5c': ['/', OPAQUE],
  '%3a': [':'],
  '%3A': [':'],
  '%3B': [';'],
  '%26': ['&'],
  '%C3': ['\u00c3'],
  '%c3': ['\u00c3'],
};
const PIECES = ['a', 'b', '.', '/', '/', ':', '&', ';', ...Object.keys(READ)];

/** Every text that an application may take these pieces for, without empty segments. */
function readings(pieces: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  const read = (at: number, text: string): void => {
    const piece = pieces[at];
    if (piece === undefined) {
      found.add(`/${text.split('/').filter(Boolean).join('/')}`);
      return;
    }
    for (const one of READ[piece] ?? [piece]) read(at + 1, text + one);
    if (piece !== ';' && piece !== '%3B') return;
    // Parameters end before a slash, escaped or not, and no later than at one that isn't.
    for (let end = at + 1; ; end++) {
      const next = pieces[end];
      if (next === undefined || next === RAW_SLASH || READ[next]?.includes('/')) read(end, text);
      if (next === undefined || next === RAW_SLASH) return;
    }
  };
  read(0, '');
  return found;
}

function isNamed(pattern: PathPattern, path: string): boolean {
  switch (pattern.kind) {
    case 'any':
      return true;
    case 'exact':
      return path === decoded(pattern.text).replace(/(.)\/$/, '$1');
    case 'suffix':
      return path.endsWith(decoded(pattern.text));
    case 'prefix':
      return (
        path.startsWith(decoded(pattern.text)) ||
        (pattern.orExact !== undefined && path === decoded(pattern.orExact))
      );
    case 'template': {
      const text = decoded(pattern.text).replace(/\/$/, '');
      return [path, `${path}/`].some((one) => new RegExp(templateRegex(text), 's').test(one));
    }
  }
}

const decoded = (text: string): string =>
  text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );

describe('by a reader that tries each way to read', () => {
  const word = fc
    .array(fc.constantFrom('a', 'b', ':', '&', ';', '%C3', '%3b'), { minLength: 1, maxLength: 3 })
    .map((pieces) => pieces.join(''));
  const literal = fc.array(word, { minLength: 1, maxLength: 3 }).map((all) => `/${all.join('/')}`);
  const pattern = fc
    .oneof(
      literal,
      literal.map((text) => `${text}/`),
      literal.map((text) => `${text}*`),
      literal.map((text) => `${text}/*`),
      literal.map((text) => `*${text}`),
      word.map((text) => `*.${text}`),
      fc.tuple(literal, literal).map(([one, two]) => `${one}/{*}${two}`),
      literal.map((text) => `${text}/{**}`),
    )
    .map(patternOf);
  const noise = fc.array(fc.constantFrom(...PIECES), { maxLength: 7 });

  test('of any path', () => {
    fc.assert(
      fc.property(pattern, noise, (taken, pieces) => {
        const path = ['/', ...pieces];
        const read = [...readings(path)].some((one) => isNamed(taken, one));
        expect(isSpellingOf(taken, path.join(''))).toBe(read);
      }),
      { seed: 20_261_128, numRuns: 4_000 },
    );
  });

  test('of a path that is spelled otherwise', () => {
    let taken = 0;
    fc.assert(
      fc.property(literal, fc.infiniteStream(fc.nat({ max: 9 })), (text, choices) => {
        const next = (): number => choices.next().value ?? 0;
        const path = [...text.matchAll(/%..|./g)].map(([one]) => respell(one, next)).join('');
        taken++;
        expect(isSpellingOf(patternOf(text), path), path).toBe(true);
      }),
      { seed: 20_261_128, numRuns: 1_000 },
    );
    expect(taken).toBe(1_000);
  });
});

/** One character or escape of a path, as it may be written too. */
function respell(one: string, next: () => number): string {
  if (one === '/') return ['/', '%2f', '%5C', ';x/', '/;y=1/', '%3Bz/', '//'][next()] ?? '/';
  if (/^[a-z]$/.test(one)) return one;
  const code = one.length === 3 ? one.slice(1) : one.charCodeAt(0).toString(16);
  const forms = [one, `%${code.toUpperCase()}`, `%${code.toLowerCase()}`];
  return forms[next()] ?? one;
}
