import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { MeshError } from '../../../src/base/index.js';
import type { Mesh } from '../../../src/policy/index.js';
import { NodeIssuers, type Proof } from '../../../src/server/join/index.js';
import { FETCH_TIMEOUT_MS, type Fetch } from '../../../src/server/join/issuers/fetch-json.js';
import {
  COOLDOWN_MS,
  LONGEST_STALE_MS,
  MAX_AGE_MS,
} from '../../../src/server/join/issuers/key-source.js';
import { authenticateCaller } from '../../../src/server/join/proof.js';
import { createTokenKeys } from '../../../src/tokens/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { meshOf } from '../../policy/helpers.js';
import { MemoryDataDir, meshErrorOf } from '../../x509/tools.js';
import {
  type Claims,
  confused,
  type IssuerKey,
  issue,
  issuerKey,
  unsigned,
} from './issuer-tokens.js';

const RSA = issuerKey('RS256', 'rsa');
const EC = issuerKey('ES256', 'ec');
const ED = issuerKey('EdDSA', 'ed');
const STRANGER = issuerKey('ES256', 'ec');
const HOUR_S = 3_600;
const dir = await mkdtemp(join(tmpdir(), 'countersign-issuers-'));
afterAll(() => rm(dir, { recursive: true, force: true }));
const file = join(dir, 'id.json');

function meshWith(keys: string, more = ''): Mesh {
  return meshOf(`trustDomain: shop.example
services: { web: {}, payments/ledger: {} }
nodeIssuers:
  - issuer: https://id.example
    audiences: [countersign, other]
    ${keys}
    ${more}
    nodes:
      - service: payments/ledger
        claims: { sub: "repo:shop/ledger:*", environment: prod }
        instance: jti
      - { service: web, claims: { groups: web } }
`);
}
const FILE_MESH = meshWith(`jwks: ${file}`);

let clock: ManualClock;
let mesh: Mesh;
let issuers: NodeIssuers;
let fetched: string[];
let answer: (url: string) => Response | Promise<Response>;
/** The answer never comes. */
let answerAborted: boolean;
let logged: { issuer: string; err: MeshError }[];
beforeEach(async () => {
  clock = new ManualClock();
  mesh = FILE_MESH;
  fetched = [];
  logged = [];
  answer = () => Response.error();
  const error = (fields: object): void => void logged.push(fields as (typeof logged)[number]);
  const quiet = (): void => undefined;
  answerAborted = false;
  const fetch: Fetch = async (url, { signal, redirect }) => {
    expect(redirect).toBe('manual');
    fetched.push(url);
    if (!answerAborted) return answer(url);
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('aborted')));
    });
  };
  const logger = { debug: quiet, info: quiet, warn: quiet, error };
  issuers = new NodeIssuers({ issuers: () => mesh.nodeIssuers, clock, logger, fetch });
  await writeKeys([RSA, EC, ED]);
});

const toSet = (keys: readonly IssuerKey[]): string =>
  JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });

async function writeKeys(keys: readonly IssuerKey[] | string): Promise<void> {
  await writeFile(`${file}.new`, typeof keys === 'string' ? keys : toSet(keys));
  await rename(`${file}.new`, file);
}

const nowS = (): number => clock.now() / 1000;
const webClaims = (): Claims => ({
  iss: 'https://id.example',
  aud: 'countersign',
  sub: 'someone',
  groups: ['all', 'web'],
  iat: nowS(),
  exp: nowS() + HOUR_S,
});

const tokens = await createTokenKeys({
  dataDir: new MemoryDataDir(),
  clock: new ManualClock(),
  random: seededRandom('issuers'),
});

function prove(token: string): Promise<Proof> {
  const caller = { address: '10.0.0.1', authorization: `Bearer ${token}`, certificate: undefined };
  return authenticateCaller(caller, {
    tokens,
    mesh,
    issuers,
    nowMs: clock.now(),
    ownerOf: async () => undefined,
  });
}

describe("an issuer's token is accepted", () => {
  it.each<[string, IssuerKey]>([
    ['RS256', RSA],
    ['ES256', EC],
    ['EdDSA', ED],
  ])('of %s', async (_name, key) => {
    expect(await prove(issue(key, webClaims()))).toEqual({
      service: 'web',
      credential: {
        kind: 'issuer-token',
        issuer: 'https://id.example',
        id: expect.stringMatching(/^[0-9a-f]{64}$/),
        expiresAtMs: clock.now() + HOUR_S * 1000,
      },
    });
  });

  it('by the first node whose claims all match, with its instance', async () => {
    const claims = {
      ...webClaims(),
      sub: 'repo:shop/ledger:ref:main',
      environment: 'prod',
      jti: 'run-7',
    };
    expect(await prove(issue(EC, claims))).toMatchObject({
      service: 'payments/ledger',
      instance: 'run-7',
    });
  });

  it.each<[string, () => Claims]>([
    ['with one of several audiences', () => ({ aud: ['x', 'other'] })],
    ['that ended 29 s ago', () => ({ exp: nowS() - 29 })],
    ['that begins in 29 s', () => ({ nbf: nowS() + 29, iat: nowS() + 29 })],
    ['without iat', () => ({ iat: undefined })],
    ['without a type', () => ({})],
  ])('%s', async (_name, change) => {
    const token = issue(EC, { ...webClaims(), ...change() }, { typ: undefined });
    expect(await prove(token)).toMatchObject({ service: 'web' });
  });

  it('without a key id where only one key fits', async () => {
    expect(await prove(issue(ED, webClaims(), { kid: undefined }))).toMatchObject({
      service: 'web',
    });
  });

  it('and our own tokens go on', async () => {
    const request = { audience: 'countersign-xds', subject: 'web', ttlMs: 60_000 } as const;
    expect(await prove(tokens.sign(request).token)).toMatchObject({
      credential: { kind: 'token' },
    });
  });
});

describe("an issuer's token is refused", () => {
  const INVALID = "the issuer's token: expected";
  it.each<[string, () => string, string, string]>([
    [
      'without a signature (alg none)',
      () => unsigned(webClaims()),
      'token-invalid',
      `${INVALID} an algorithm that mesh.yaml allows but got another`,
    ],
    [
      'with HMAC by the public key',
      () => confused(RSA, webClaims()),
      'token-invalid',
      `${INVALID} an algorithm that mesh.yaml allows but got another`,
    ],
    [
      'of another key under a known id',
      () => issue(STRANGER, webClaims()),
      'token-invalid',
      `${INVALID} a valid signature but got another`,
    ],
    [
      'with an RSA key named by the id of an EC key',
      () => issue(RSA, webClaims(), { kid: 'ec' }),
      'token-key-unknown',
      'expected a token signed by a key of its issuer but got an unknown key',
    ],
    [
      'with the algorithm of another kind of key',
      () => issue(EC, webClaims(), { alg: 'RS256', kid: 'rsa' }),
      'token-invalid',
      `${INVALID} a valid signature but got another`,
    ],
    [
      'of a key id that is unknown',
      () => issue(EC, webClaims(), { kid: 'new' }),
      'token-key-unknown',
      'expected a token signed by a key of its issuer but got an unknown key',
    ],
    [
      'with a key of its own',
      () => issue(STRANGER, webClaims(), { jwk: STRANGER.jwk, kid: 'x' }),
      'token-key-unknown',
      'expected a token signed by a key of its issuer but got an unknown key',
    ],
    [
      'for another audience',
      () => issue(EC, { ...webClaims(), aud: 'somebody-else' }),
      'token-invalid',
      `${INVALID} the claim "aud" as mesh.yaml asks for it but got another or none`,
    ],
    [
      'for no audience',
      () => issue(EC, { ...webClaims(), aud: undefined }),
      'token-invalid',
      `${INVALID} the claim "aud" as mesh.yaml asks for it but got another or none`,
    ],
    [
      'that has ended',
      () => issue(EC, { ...webClaims(), exp: nowS() - 31 }),
      'token-expired',
      'expected a token in force but it has ended',
    ],
    [
      'without an end',
      () => issue(EC, { ...webClaims(), exp: undefined }),
      'token-invalid',
      `${INVALID} the claim "exp" as mesh.yaml asks for it but got another or none`,
    ],
    [
      'that begins later',
      () => issue(EC, { ...webClaims(), nbf: nowS() + 60 }),
      'token-invalid',
      `${INVALID} the claim "nbf" as mesh.yaml asks for it but got another or none`,
    ],
    [
      'that was issued later than now',
      () => issue(EC, { ...webClaims(), iat: nowS() + 60 }),
      'token-invalid',
      `${INVALID} one of the past but got one issued later than now`,
    ],
    [
      'with a critical header that we do not know',
      () => issue(EC, webClaims(), { crit: ['x'], x: 1 }),
      'token-invalid',
      `${INVALID} an algorithm that mesh.yaml allows but got another`,
    ],
    [
      'whose claims name no service',
      () => issue(EC, { ...webClaims(), groups: ['all'] }),
      'token-wrong-service',
      'no entry of nodeIssuers names a service for the claims of this token',
    ],
    [
      'whose instance is missing',
      () => issue(EC, { ...webClaims(), sub: 'repo:shop/ledger:x', environment: 'prod' }),
      'token-invalid',
      `${INVALID} the claim "jti" as text, which names the instance but got none`,
    ],
    [
      'whose instance could not join, nor be revoked by its name',
      () => {
        const claims = { ...webClaims(), sub: 'repo:shop/ledger:x', environment: 'prod' };
        return issue(EC, { ...claims, jti: 'a/b' });
      },
      'token-invalid',
      `${INVALID} the claim "jti" to be a name of at most 128 letters, digits, dots, dashes, ` +
        'colons and underscores but got another text',
    ],
    [
      'of an issuer that is not trusted',
      () => issue(EC, { ...webClaims(), iss: 'https://evil.example' }),
      'token-invalid',
      'expected a token of this server but got one of an issuer that is not trusted',
    ],
    [
      'that says it is ours',
      () => issue(EC, { ...webClaims(), iss: 'countersign' }),
      'token-key-unknown',
      'expected a token signed by a key of this server but got an unknown key',
    ],
    [
      'with more bytes than allowed',
      () => issue(EC, { ...webClaims(), padding: 'x'.repeat(12_400) }),
      'token-invalid',
      'expected a token of at most 4096 bytes but got a longer one',
    ],
  ])('%s', async (_name, make, code, message) => {
    const token = make();
    const error = await meshErrorOf(() => prove(token));
    expect({ code: error.code, message: error.message }).toEqual({ code, message });
    expect(`${error.message}${error.hint}`).not.toMatch(/someone|repo:shop|eyJ/);
  });

  it('of an algorithm that is good but not allowed', async () => {
    mesh = meshWith(`jwks: ${file}`, 'algorithms: [RS256]');
    expect(await prove(issue(RSA, webClaims()))).toMatchObject({ service: 'web' });
    const error = await meshErrorOf(() => prove(issue(EC, webClaims())));
    expect(error.message).toContain('an algorithm that mesh.yaml allows');
  });

  it('whichever character of it changes', async () => {
    const token = issue(EC, webClaims());
    for (let i = 0; i < token.length - 1; i += 3) {
      const changed = `${token.slice(0, i)}${token[i] === 'A' ? 'B' : 'A'}${token.slice(i + 1)}`;
      const error = await meshErrorOf(() => prove(changed));
      expect(['token-invalid', 'token-key-unknown', 'token-wrong-service']).toContain(error.code);
    }
  });

  it('once its issuer is taken out of mesh.yaml', async () => {
    const token = issue(EC, webClaims());
    expect(await prove(token)).toMatchObject({ service: 'web' });
    mesh = meshOf('{ trustDomain: shop.example, services: { web: {} } }');
    expect(await meshErrorOf(() => prove(token))).toMatchObject({ code: 'token-invalid' });
  });
});

describe('keys of a file', () => {
  it('are taken over when the file is replaced', async () => {
    expect(await prove(issue(EC, webClaims()))).toMatchObject({ service: 'web' });
    const next = issuerKey('ES256', 'next');
    await writeKeys([next]);
    await issuers.check();
    expect(await prove(issue(next, webClaims()))).toMatchObject({ service: 'web' });
    expect(await meshErrorOf(() => prove(issue(EC, webClaims())))).toMatchObject({
      code: 'token-key-unknown',
    });
  });

  it('are looked at when a token names a key that is not there', async () => {
    expect(await prove(issue(EC, webClaims()))).toMatchObject({ service: 'web' });
    const next = issuerKey('ES256', 'next');
    await writeKeys([EC, next]);
    expect(await prove(issue(next, webClaims()))).toMatchObject({ service: 'web' });
  });

  it.each<[string, () => Promise<void>]>([
    ['broken', () => writeKeys('hello')],
    ['gone', () => rm(file)],
    ['secret', () => writeKeys(JSON.stringify({ keys: [{ kty: 'oct', k: 'SECRET' }] }))],
    ['too large', () => writeKeys('x'.repeat(300_000))],
  ])('outlive a file that is %s, which is told once', async (_name, spoil) => {
    expect(await prove(issue(EC, webClaims()))).toMatchObject({ service: 'web' });
    await spoil();
    await issuers.check();
    await issuers.check();
    expect(logged.map(({ issuer, err }) => [issuer, err.code])).toEqual([
      ['https://id.example', 'issuer-unreachable'],
    ]);
    expect(String(logged[0]?.err.cause)).toContain(file);
    expect(JSON.stringify(logged)).not.toContain('SECRET');
    expect(await prove(issue(EC, webClaims()))).toMatchObject({ service: 'web' });
  });

  it('are there for all who come while they are read the first time', async () => {
    const token = issue(EC, webClaims());
    const looks = [issuers.check(), prove(token), prove(token), issuers.check(), prove(token)];
    expect((await Promise.all(looks)).filter((proof) => proof !== undefined)).toHaveLength(3);
  });

  it('that were never good are no reason to let anybody in', async () => {
    await writeKeys('hello');
    const error = await meshErrorOf(() => prove(issue(EC, webClaims())));
    expect(error.code).toBe('issuer-unreachable');
    expect(error.message).not.toContain(dir);
    await writeKeys([EC]);
    expect(await prove(issue(EC, webClaims()))).toMatchObject({ service: 'web' });
  });
});

describe('keys of a URL', () => {
  const URL_TEXT = 'https://id.example/keys';
  beforeEach(() => {
    mesh = meshWith(`jwks: ${URL_TEXT}`);
    answer = () => new Response(toSet([EC]));
  });

  it('are fetched once for many, and again when they are old', async () => {
    const token = issue(EC, { ...webClaims(), exp: nowS() + 10 * HOUR_S });
    await Promise.all(Array.from({ length: 20 }, () => prove(token)));
    expect(fetched).toEqual([URL_TEXT]);
    clock.advance(MAX_AGE_MS);
    await prove(token);
    expect(fetched).toHaveLength(2);
  });

  it('are fetched for a new key, but not more often than the cooldown lets', async () => {
    await prove(issue(EC, webClaims()));
    const next = issuerKey('ES256', 'next');
    answer = () => new Response(toSet([EC, next]));
    const early = await meshErrorOf(() => prove(issue(next, webClaims())));
    expect(early.code).toBe('token-key-unknown');
    expect(fetched).toHaveLength(1);
    clock.advance(COOLDOWN_MS);
    expect(await prove(issue(next, webClaims()))).toMatchObject({ service: 'web' });
    for (let i = 0; i < 10; i++) {
      await meshErrorOf(() => prove(issue(EC, webClaims(), { kid: `guess${i}` })));
    }
    expect(fetched).toHaveLength(2);
  });

  it('survive edits of the mesh that do not concern them', async () => {
    await prove(issue(EC, webClaims()));
    mesh = meshWith(`jwks: ${URL_TEXT}`, 'algorithms: [ES256]');
    await prove(issue(EC, webClaims()));
    expect(fetched).toHaveLength(1);
  });

  it('outlive an issuer that is away, for a day', async () => {
    const claims = { ...webClaims(), exp: nowS() + 100 * HOUR_S };
    await prove(issue(EC, claims));
    answer = () => Promise.reject(new TypeError('fetch failed'));
    clock.advance(LONGEST_STALE_MS - 1);
    expect(await prove(issue(EC, claims))).toMatchObject({ service: 'web' });
    expect(logged).toHaveLength(1);
    clock.advance(1);
    expect((await meshErrorOf(() => prove(issue(EC, claims)))).code).toBe('issuer-unreachable');
  });

  it.each<[string, () => Response | Promise<Response>, string]>([
    ['an error', () => new Response('no', { status: 500 }), 'HTTP status 500'],
    [
      'a redirect',
      () => new Response(null, { status: 302, headers: { location: 'http://id.example/keys' } }),
      'HTTP status 302',
    ],
    ['too much', () => new Response('x'.repeat(300_000)), 'more than 262144 bytes'],
    ['other text', () => new Response('<html>'), 'a document without public keys'],
    [
      'private and symmetric keys alone',
      () =>
        new Response(
          JSON.stringify({
            keys: [
              { ...EC.jwk, d: 'x' },
              { kty: 'oct', k: 'x' },
            ],
          }),
        ),
      'a document without public keys',
    ],
    [
      'a broken connection',
      () => Promise.reject(new TypeError('failed', { cause: { code: 'ECONNREFUSED' } })),
      'an error',
    ],
  ])('that answers %s lets nobody in', async (_name, reply, got) => {
    answer = reply;
    const error = await meshErrorOf(() => prove(issue(EC, webClaims())));
    expect(error).toMatchObject({
      code: 'issuer-unreachable',
      message: `expected the keys of the issuer but got ${got}`,
    });
    await meshErrorOf(() => prove(issue(EC, webClaims())));
    expect(fetched).toHaveLength(1);
  });

  it('that does not answer is given up', async () => {
    answerAborted = true;
    const waiting = meshErrorOf(() => prove(issue(EC, webClaims())));
    await expect.poll(() => clock.pending).toBe(1);
    clock.advance(FETCH_TIMEOUT_MS);
    expect((await waiting).message).toBe(
      'expected the keys of the issuer but got no answer within 5000 ms',
    );
  });
});
