// Properties with a fixed seed: resolution and decisions against oracles that know no cleverness,
// order of keys, and texts that nobody meant to write.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { type AccessRequest, decideAccess } from '../../src/policy/decide.js';
import { exampleMesh, type Mesh, mayPass, parseMesh } from '../../src/policy/index.js';
import { meshOf, portOf } from './helpers.js';

const SEED = { seed: 20_261_122, numRuns: 200 };
const TRUST_DOMAIN = 'shop.example';

/** A rule whose `not` takes away all that it asks for is an error (contradiction.test.ts). */
function canMatch({ from, paths, not }: RuleParts): boolean {
  const isLeft = (list: readonly string[] = ['*'], taken: readonly string[] = []): boolean =>
    list.some((one) => !taken.includes(one));
  return isLeft(from, not?.from) && isLeft(paths, not?.paths);
}
interface RuleParts {
  readonly from: readonly string[];
  readonly paths?: readonly string[];
  readonly not?: { readonly from?: readonly string[]; readonly paths: readonly string[] };
}

const rule = fc
  .record(
    {
      from: fc.subarray(['a', 'b', 'ns/*', '*', 'anyone'], { minLength: 1 }),
      methods: fc.subarray(['GET', 'POST'], { minLength: 1 }),
      paths: fc.subarray(['/x', '/x/*', '*y', '*'], { minLength: 1 }),
      not: fc.record(
        {
          from: fc.subarray(['a', 'ns/c'], { minLength: 1 }),
          paths: fc.subarray(['/x', '/{*}/y'], { minLength: 1 }),
        },
        { requiredKeys: ['paths'] },
      ),
    },
    { requiredKeys: ['from'] },
  )
  .filter(canMatch);
type RuleDoc = typeof rule extends fc.Arbitrary<infer T> ? T : never;

const scope = fc.oneof(
  fc.record(
    {
      mtls: fc.constantFrom('strict', 'permissive'),
      access: fc.constantFrom('allow', 'deny'),
    },
    { requiredKeys: [] },
  ),
  fc.record(
    {
      mtls: fc.constantFrom('strict', 'permissive'),
      allow: fc.array(fc.oneof(rule, fc.constant('inherit' as const)), {
        minLength: 1,
        maxLength: 3,
      }),
    },
    { requiredKeys: ['allow'] },
  ),
);
interface ScopeDoc {
  mtls?: string;
  access?: string;
  allow?: (RuleDoc | 'inherit')[];
}

/** Port, service, namespace, mesh. `inherit` at the mesh is an error and taken out. */
const scopes = fc.tuple(scope, scope, scope, scope).map((docs): ScopeDoc[] => {
  const all: ScopeDoc[] = docs;
  const mesh = { ...all[3] };
  const list = mesh.allow?.filter((entry) => entry !== 'inherit') ?? [];
  delete mesh.allow;
  return [...all.slice(0, 3), list.length === 0 ? mesh : { ...mesh, allow: list }];
});

function docOf([port, service, namespace, mesh]: ScopeDoc[]): Record<string, unknown> {
  return {
    trustDomain: TRUST_DOMAIN,
    ...mesh,
    namespaces: { default: namespace },
    services: {
      a: {},
      b: {},
      'ns/c': {},
      callee: { ...service, ports: { 80: { protocol: 'http', ...port } } },
    },
  };
}

const idOf = (namespace: string, name: string): string =>
  `spiffe://${TRUST_DOMAIN}/ns/${namespace}/sa/${name}`;
const IDENTITIES = [idOf('default', 'a'), idOf('default', 'b'), idOf('ns', 'c'), undefined];
const PATHS = ['/x', '/x/', '/x/y', '/z', '/z/y'];
const REQUESTS: AccessRequest[] = IDENTITIES.flatMap((spiffeId) =>
  ['GET', 'PUT'].flatMap((method) =>
    PATHS.map((path) => ({ spiffeId, trustDomain: TRUST_DOMAIN, method, path })),
  ),
);

/** MODEL.md "Access" word by word, on the document as written. */
function oraclePermits(docs: ScopeDoc[], request: AccessRequest): boolean {
  const deciding = docs.findIndex(
    ({ allow, access }) => allow !== undefined || access !== undefined,
  );
  const doc = docs[deciding];
  if (doc === undefined) return true;
  if (doc.allow === undefined) return doc.access === 'allow';
  const lists = docs.slice(deciding).flatMap(({ allow }) => (allow === undefined ? [] : [allow]));
  const end = lists.findIndex((list) => !list.includes('inherit'));
  const applying = end < 0 ? lists : lists.slice(0, end + 1);
  return applying
    .flat()
    .some((entry) => entry !== 'inherit' && oracleMatches(entry, request, 'grants'));
}

function oracleMatches(
  entry: RuleDoc,
  { spiffeId, method = '', path = '' }: AccessRequest,
  effect: 'grants' | 'takes',
): boolean {
  const isFrom = (from: string): boolean => {
    if (from === 'anyone') return true;
    if (spiffeId === undefined) return false;
    if (from === '*') return true;
    if (from === 'ns/*') return spiffeId === idOf('ns', 'c');
    return spiffeId === (from === 'ns/c' ? idOf('ns', 'c') : idOf('default', from));
  };
  /** What takes away takes `/x/` for `/x`: path-spellings.test.ts. */
  const isPath = (pattern: string, takes: boolean): boolean =>
    ({
      '/x': path === '/x' || (takes && path === '/x/'),
      '/x/*': path === '/x' || path.startsWith('/x/'),
      '*y': path.endsWith('y'),
      '*': true,
      '/{*}/y': path === '/x/y' || path === '/z/y',
    })[pattern] ?? false;
  return (
    entry.from.some(isFrom) &&
    (entry.methods?.includes(method) ?? true) &&
    (entry.paths?.some((one) => isPath(one, effect === 'takes')) ?? true) &&
    !(entry.not?.from?.some(isFrom) ?? false) &&
    !(entry.not?.paths.some((one) => isPath(one, effect === 'grants')) ?? false)
  );
}

test('the narrowest scope that says something wins, and access is decided as MODEL.md says', () => {
  expect(REQUESTS).toHaveLength(40);
  fc.assert(
    fc.property(scopes, (docs) => {
      const mesh = meshOf(stringify(docOf(docs), { aliasDuplicateObjects: false }));
      const port = portOf(mesh, 'callee:80');
      expect(port.mode).toBe(docs.find(({ mtls }) => mtls !== undefined)?.mtls ?? 'permissive');
      for (const request of REQUESTS) {
        const permitted = oraclePermits(docs, request);
        expect(decideAccess(port.access, request).allowed).toBe(permitted);
        if (permitted) expect(mayPass(port.access, request)).toBe(true);
      }
    }),
    SEED,
  );
});

test('a deny rule of any scope refuses what it matches, and nothing else changes', () => {
  fc.assert(
    fc.property(scopes, rule, fc.nat({ max: 3 }), (docs, deny, where) => {
      // Strict everywhere: a deny rule by identity is an error where plain text is accepted.
      const strict = docs.map((doc) => ({ ...doc, mtls: 'strict' }));
      const denying = strict.map((doc, i) => (i === where ? { ...doc, deny: [deny] } : doc));
      const { access } = portOf(
        meshOf(stringify(docOf(denying), { aliasDuplicateObjects: false })),
        'callee:80',
      );
      for (const request of REQUESTS) {
        const expected = !oracleMatches(deny, request, 'takes') && oraclePermits(docs, request);
        expect(decideAccess(access, request).allowed).toBe(expected);
        if (expected) expect(mayPass(access, request)).toBe(true);
      }
    }),
    SEED,
  );
});

/** The mesh without places and version, which tell of the text rather than of its meaning. */
function meaning(mesh: Mesh): unknown {
  const drop = (key: string, value: unknown): unknown =>
    key === 'source' || key === 'modeSource' ? undefined : value;
  return JSON.parse(JSON.stringify([...mesh.services], drop));
}

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, reversed(inner)] as const);
  return new Map(entries.reverse());
}

test('the order of keys changes nothing, nor does it which file says what', () => {
  fc.assert(
    fc.property(scopes, (docs) => {
      const doc = docOf(docs);
      const options = { aliasDuplicateObjects: false };
      const mesh = meaning(meshOf(stringify(doc, options)));
      expect(meaning(meshOf(stringify(reversed(doc), options)))).toEqual(mesh);
      const { services, ...rest } = doc;
      const split = parseMesh([
        { path: 'b.yaml', text: stringify(rest, options) },
        { path: 'a.yaml', text: stringify({ services }, options) },
      ]);
      expect(split.mesh === undefined ? split.problems : meaning(split.mesh)).toEqual(mesh);
    }),
    SEED,
  );
});

const PIECES = [
  '*',
  '&a',
  '*a',
  '{',
  '}',
  '[',
  ']',
  ':',
  '- ',
  '\t',
  '\n',
  '  ',
  '"',
  "'",
  '#',
  '|',
  '>',
  '?',
  '!!x ',
  '---\n',
  '\u0000',
  '\uFEFF',
  '__proto__: 1\n',
  'constructor: {}\n',
  '80',
  '1e9',
  'null',
  'inherit',
  '%',
];

test('no text makes the reader throw, and a mesh comes out exactly where there is no error', () => {
  const example = exampleMesh();
  const edit = fc.record({
    at: fc.nat({ max: example.length }),
    cut: fc.nat({ max: 12 }),
    put: fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: 'binary', maxLength: 4 })),
  });
  const mutated = fc
    .array(edit, { minLength: 1, maxLength: 5 })
    .map((edits) =>
      edits.reduce(
        (text, { at, cut, put }) => text.slice(0, at) + put + text.slice(at + cut),
        example,
      ),
    );
  const soup = fc
    .array(fc.constantFrom(...PIECES), { maxLength: 40 })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.oneof(mutated, soup, fc.string({ unit: 'binary' })), (text) => {
      const { mesh, problems } = parseMesh([{ path: 'mesh.yaml', text }]);
      const failed = problems.some(({ severity }) => severity === 'error');
      expect(mesh === undefined).toBe(failed);
      for (const { source } of problems)
        expect(Math.min(source.line, source.column)).toBeGreaterThan(0);
    }),
    { ...SEED, numRuns: 600 },
  );
});
