// `nodeIssuers` of mesh.yaml: what is accepted, what it becomes, and the exact words of what isn't.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import {
  claimMatches,
  formatProblem,
  loadMesh,
  meshSchema,
  parseMesh,
  readJwks,
} from '../../src/policy/index.js';
import { meshOf, problemsOf } from './helpers.js';

const TOP = `trustDomain: shop.example
services: { web: {}, payments/ledger: {} }
nodeIssuers:
`;
const NODES = 'nodes: [{ service: web, claims: { sub: a } }]';
const issuer = (rest: string): string => `${TOP}  - { ${rest} }\n`;
const LEAST = `issuer: https://id.example, audiences: [countersign], ${NODES}`;

test.each<[string, string]>([
  ['the least', LEAST],
  ['a file', `issuer: ci, audiences: [a], jwks: ./id.json, ${NODES}`],
  ['a URL', `issuer: ci, audiences: [a], jwks: "https://id.example/keys?x=1", ${NODES}`],
  ['every algorithm', `${LEAST}, algorithms: [RS512, PS384, ES512, EdDSA]`],
  [
    'patterns',
    'issuer: https://id.example, audiences: [a, b], nodes: [{ service: default/web, claims: ' +
      '{ sub: "repo:*", ref: "*/main", any: "*" }, instance: jti }]',
  ],
])('accepts %s', (_name, text) => {
  expect(problemsOf(issuer(text))).toEqual([]);
});

test('what it becomes', () => {
  const { mesh } = parseMesh([
    {
      path: 'conf/mesh.yaml',
      text: `${TOP}  - issuer: ci
    audiences: [countersign]
    jwks: ./id-jwks.json
    nodes:
      - { service: default/web, claims: { sub: "repo:*", env: prod }, instance: jti }
`,
    },
  ]);
  expect(mesh?.nodeIssuers).toEqual([
    {
      issuer: 'ci',
      audiences: ['countersign'],
      keys: { kind: 'file', path: 'conf/id-jwks.json' },
      algorithms: ['RS256', 'ES256', 'ES384', 'PS256', 'EdDSA'],
      nodes: [
        {
          service: 'web',
          claims: [
            { name: 'sub', pattern: { kind: 'prefix', text: 'repo:' } },
            { name: 'env', pattern: { kind: 'exact', text: 'prod' } },
          ],
          instance: 'jti',
          source: { file: 'conf/mesh.yaml', line: 8, column: 9 },
        },
      ],
      source: { file: 'conf/mesh.yaml', line: 4, column: 5 },
    },
  ]);
  expect(meshOf(issuer(LEAST)).nodeIssuers[0]?.keys).toEqual({
    kind: 'discovery',
    issuer: 'https://id.example',
  });
  expect(meshOf('trustDomain: shop.example').nodeIssuers).toEqual([]);
});

const AT = 'nodeIssuers[0]';
test.each<[string, string, string]>([
  [
    'a service that is not declared',
    'issuer: https://i.example, audiences: [a], nodes: [{ service: wep, claims: { sub: a } }]',
    `${AT}.nodes[0].service: expected a declared service but got "wep" (did you mean "web"?)`,
  ],
  [
    'no audience',
    `issuer: https://id.example, ${NODES}`,
    `${AT}.audiences: expected a list of audiences but got nothing`,
  ],
  [
    'an empty list of audiences',
    `issuer: https://id.example, audiences: [], ${NODES}`,
    `${AT}.audiences: expected at least one entry but got an empty list`,
  ],
  [
    'HMAC',
    `${LEAST}, algorithms: [HS384]`,
    `${AT}.algorithms[0]: expected RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 ` +
      'or EdDSA but got "HS384" (did you mean "RS384"?)',
  ],
  [
    'no signature',
    `${LEAST}, algorithms: [none]`,
    `${AT}.algorithms[0]: expected RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 ` +
      'or EdDSA but got "none"',
  ],
  [
    'a node for whoever has a token',
    'issuer: https://id.example, audiences: [a], nodes: [{ service: web, claims: {} }]',
    `${AT}.nodes[0].claims: expected at least one claim but got an empty map`,
  ],
  [
    'a number as a claim',
    'issuer: https://id.example, audiences: [a], nodes: [{ service: web, claims: { id: 7 } }]',
    `${AT}.nodes[0].claims.id: expected text to compare a claim with but got 7\n` +
      '  hint: quote it: "7"',
  ],
  [
    'a star in the middle',
    'issuer: https://i.example, audiences: [a], nodes: [{ service: web, claims: { id: "a*b" } }]',
    `${AT}.nodes[0].claims.id: expected one * at one end of a claim but got "a*b"`,
  ],
  [
    'keys over plain http',
    `issuer: ci, audiences: [a], jwks: "http://id.example/keys", ${NODES}`,
    `${AT}.jwks: expected a file or an https URL but got "http://id.example/keys"`,
  ],
  [
    'our own issuer',
    `issuer: countersign, audiences: [a], jwks: a.json, ${NODES}`,
    `${AT}.issuer: expected an issuer other than countersign, which needs no entry but got ` +
      '"countersign"',
  ],
  [
    'discovery without https',
    `issuer: http://id.example, audiences: [a], ${NODES}`,
    `${AT}.issuer: expected an https URL to find its keys at but got "http://id.example"\n` +
      '  hint: name its keys: jwks: and a file, or an https URL',
  ],
  [
    'an unknown key',
    `${LEAST}, audience: b`,
    `${AT}.audience: unknown key "audience" (did you mean "audiences"?)`,
  ],
  [
    'an unknown key of a node',
    'issuer: https://i.example, audiences: [a], nodes: [{ service: web, claims: { a: b }, x: y }]',
    `${AT}.nodes[0].x: unknown key "x"`,
  ],
])('refuses %s', (_name, text, problem) => {
  expect(problemsOf(issuer(text)).map((one) => one.replace(/^mesh.yaml:\d+:\d+ /, ''))).toEqual([
    problem,
  ]);
});

test('refuses an issuer that is there twice', () => {
  expect(problemsOf(`${TOP}  - { ${LEAST} }\n  - { ${LEAST} }\n`)).toEqual([
    'mesh.yaml:5:7 nodeIssuers[1].issuer: expected each issuer once but got it at ' +
      'mesh.yaml:4:5 too',
  ]);
});

test('the schema for editors has it', () => {
  const schema = z.toJSONSchema(meshSchema, { io: 'input' });
  expect(Object.keys(schema.properties ?? {})).toContain('nodeIssuers');
});

describe('key files', () => {
  const PUBLIC = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid: '1' };
  const check = (content: string | undefined): string[] => {
    const dir = mkdtempSync(join(tmpdir(), 'countersign-issuers-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const text = `${TOP}  - { issuer: ci, audiences: [a], jwks: id.json, ${NODES} }\n`;
    writeFileSync(join(dir, 'mesh.yaml'), text);
    if (content !== undefined) writeFileSync(join(dir, 'id.json'), content);
    const { mesh, problems } = loadMesh(join(dir, 'mesh.yaml'));
    expect(mesh === undefined).toBe(problems.length > 0);
    return problems.map((one) => formatProblem(one).replaceAll(dir, '<dir>'));
  };
  const AT_FILE = '<dir>/mesh.yaml:4:5 nodeIssuers of ci: ';

  test.each<[string, string | undefined, string[]]>([
    ['a public key', JSON.stringify({ keys: [PUBLIC] }), []],
    [
      'keys of unknown kinds beside it',
      JSON.stringify({ keys: [{ kty: 'new' }, PUBLIC], more: 1 }),
      [],
    ],
    ['no file', undefined, ['expected a file to read at <dir>/id.json but got nothing at all']],
    [
      'other text',
      'hello',
      ['expected a JWK set (JSON with a list "keys") but got other text in <dir>/id.json'],
    ],
    ['no key', '{"keys":[]}', ['expected a public key but got none in <dir>/id.json']],
    [
      'a private key',
      JSON.stringify({ keys: [{ ...PUBLIC, d: 'SECRET' }] }),
      [
        'expected public keys only but got a secret one: whoever reads it can sign tokens in ' +
          '<dir>/id.json',
      ],
    ],
    [
      'a symmetric key',
      JSON.stringify({ keys: [PUBLIC, { kty: 'oct', k: 'SECRET' }] }),
      [
        'expected public keys only but got a secret one: whoever reads it can sign tokens in ' +
          '<dir>/id.json',
      ],
    ],
  ])('with %s', (_name, content, wanted) => {
    const problems = check(content);
    expect(problems).toEqual(wanted.map((one) => AT_FILE + one));
    expect(problems.join()).not.toContain('SECRET');
  });

  test('of a set that was fetched only public keys are taken', () => {
    const keys = [PUBLIC, { ...PUBLIC, d: 'x' }, { kty: 'oct', k: 'x' }, { kty: 'new' }];
    expect(readJwks(JSON.stringify({ keys }))).toEqual({ keys: [PUBLIC], secret: 2 });
  });
});

test.each<[Parameters<typeof claimMatches>[0], unknown, boolean]>([
  [{ kind: 'exact', text: 'prod' }, 'prod', true],
  [{ kind: 'exact', text: 'prod' }, 'prod2', false],
  [{ kind: 'exact', text: 'prod' }, ['dev', 'prod'], true],
  [{ kind: 'exact', text: 'prod' }, [['prod']], false],
  [{ kind: 'exact', text: 'true' }, true, false],
  [{ kind: 'exact', text: '7' }, 7, false],
  [{ kind: 'prefix', text: 'repo:shop/' }, 'repo:shop/ledger', true],
  [{ kind: 'prefix', text: 'repo:shop/' }, 'repo:shop', false],
  [{ kind: 'suffix', text: '/main' }, 'refs/heads/main', true],
  [{ kind: 'suffix', text: '/main' }, 'refs/heads/main2', false],
  [{ kind: 'any' }, 'x', true],
  [{ kind: 'any' }, undefined, false],
  [{ kind: 'any' }, {}, false],
  [{ kind: 'any' }, [], false],
])('claim %j against %j is %s', (pattern, value, wanted) => {
  expect(claimMatches(pattern, value)).toBe(wanted);
});
