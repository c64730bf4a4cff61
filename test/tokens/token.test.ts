import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { DataDir } from '../../src/data/index.js';
import { hintOf } from '../../src/terminal/index.js';
import { createTokenKeys } from '../../src/tokens/index.js';
import { generateKeys } from '../../src/x509/keys/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { expectNoKey, MemoryDataDir, meshErrorOf, temporaryDataDir } from '../x509/tools.js';

const HOUR_MS = 3_600_000;
const SKEW_MS = 30_000;
const XDS = { audience: 'countersign-xds' } as const;

async function setup(dataDir: DataDir = new MemoryDataDir()) {
  const clock = new ManualClock();
  const keys = await createTokenKeys({ dataDir, clock, random: seededRandom(1) });
  const request = { ...XDS, subject: 'payments/ledger', ttlMs: HOUR_MS };
  return { clock, keys, dataDir, request };
}

type Header = Record<string, unknown>;
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const parse = (part: string | undefined): Header =>
  JSON.parse(Buffer.from(part ?? '', 'base64url').toString()) as Header;

describe('a token', () => {
  it('proves what it was signed for', async () => {
    const { clock, keys, request } = await setup();
    const signed = keys.sign({ ...request, instance: '10.0.0.3' });
    expect(signed.expiresAtMs).toBe(clock.now() + HOUR_MS);
    expect(keys.verify(signed.token, XDS)).toEqual({
      id: signed.id,
      audience: 'countersign-xds',
      subject: 'payments/ledger',
      instance: '10.0.0.3',
      issuedAtMs: clock.now(),
      expiresAtMs: signed.expiresAtMs,
      keyId: parse(signed.token.split('.')[0])['kid'],
    });
    const { token } = keys.sign(request);
    expect(keys.verify(token, XDS).instance).toBeUndefined();
    expect(keys.sign(request).id).not.toBe(keys.sign(request).id);
  });

  it('is a JWT as RFC 7519 has it', async () => {
    const { clock, keys, request } = await setup();
    const { token, id } = keys.sign(request);
    const [head, body] = token.split('.');
    const iat = clock.now() / 1000;
    expect(parse(head)).toEqual({ alg: 'ES256', kid: expect.any(String), typ: 'JWT' });
    expect(parse(body)).toEqual({
      iss: 'countersign',
      aud: 'countersign-xds',
      sub: 'payments/ledger',
      iat,
      exp: iat + 3600,
      jti: id,
    });
  });

  it('ends when it says, and a clock may be a little late', async () => {
    const { clock, keys, request } = await setup();
    const { token } = keys.sign(request);
    clock.advance(HOUR_MS + SKEW_MS - 1);
    expect(keys.verify(token, XDS).subject).toBe('payments/ledger');
    clock.advance(1);
    expect(await meshErrorOf(() => keys.verify(token, XDS))).toMatchObject({
      code: 'token-expired',
      message: 'expected a token in force but it ended 2026-01-01T01:00:00.000Z',
    });
  });

  it('is not from the future', async () => {
    const { clock, keys, request } = await setup();
    const { token } = keys.sign(request);
    clock.jump(-SKEW_MS);
    expect(keys.verify(token, XDS).subject).toBe('payments/ledger');
    clock.jump(-1000);
    expect((await meshErrorOf(() => keys.verify(token, XDS))).code).toBe('token-invalid');
  });

  it.each([undefined, ''])('is missing where it is %j', async (token) => {
    const { keys } = await setup();
    expect((await meshErrorOf(() => keys.verify(token, XDS))).code).toBe('token-missing');
  });

  it('for the admin port opens no other, and the reverse', async () => {
    const { keys, request } = await setup();
    const admin = keys.sign({ ...request, audience: 'countersign-admin' }).token;
    expect(await meshErrorOf(() => keys.verify(admin, XDS))).toMatchObject({
      code: 'token-invalid',
      message: 'expected a token for countersign-xds but got one for countersign-admin',
    });
    const node = keys.sign(request).token;
    const options = { audience: 'countersign-admin' } as const;
    expect((await meshErrorOf(() => keys.verify(node, options))).code).toBe('token-invalid');
  });
});

type Forgery = (parts: {
  readonly head: Header;
  readonly body: Header;
  readonly token: string;
  readonly publicKeyPem: string;
}) => string;

const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function signedByStranger(head: Header, body: Header): string {
  const content = `${encode(head)}.${encode(body)}`;
  const key = { key: stranger.privateKey, dsaEncoding: 'ieee-p1363' } as const;
  return `${content}.${sign('sha256', Buffer.from(content), key).toString('base64url')}`;
}

const withHead = (token: string, head: Header): string =>
  [encode(head), ...token.split('.').slice(1)].join('.');

const SIGNATURE = 'expected a valid signature of the token but got another';
const HEADER = 'expected a JWT header for ES256 but got another one';
const FORM = 'expected a token of three parts in base64url but got another form';
const KEY = 'expected a token signed by a key of this server but got an unknown key';

const FORGERIES: readonly (readonly [string, Forgery, string])[] = [
  ['one part', () => 'secret-token', FORM],
  ['four parts', ({ token }) => `${token}.AA`, FORM],
  ['an empty signature', ({ token }) => token.replace(/[^.]+$/, ''), FORM],
  ['padding', ({ token }) => `${token}==`, FORM],
  ['a space in front', ({ token }) => ` ${token}`, FORM],
  ['a line feed behind', ({ token }) => `${token}\n`, FORM],
  ['plain base64', ({ token }) => token.replace(/[^.]+$/, '+/+/'), FORM],
  ['a header that is no JSON', ({ token }) => token.replace(/^[^.]+/, 'AAAA'), HEADER],
  [
    'algorithm none',
    ({ head, body }) => `${encode({ ...head, alg: 'none' })}.${encode(body)}.AA`,
    HEADER,
  ],
  [
    'algorithm none and no signature',
    ({ head, body }) => `${encode({ ...head, alg: 'none' })}.${encode(body)}.`,
    FORM,
  ],
  [
    'HS256 with the public key as its secret',
    ({ head, body, publicKeyPem }) => {
      const content = `${encode({ ...head, alg: 'HS256' })}.${encode(body)}`;
      return `${content}.${createHmac('sha256', publicKeyPem).update(content).digest('base64url')}`;
    },
    HEADER,
  ],
  ['ES384', ({ token, head }) => withHead(token, { ...head, alg: 'ES384' }), HEADER],
  ['es256', ({ token, head }) => withHead(token, { ...head, alg: 'es256' }), HEADER],
  [
    'a critical header of RFC 7515 4.1.11',
    ({ token, head }) => withHead(token, { ...head, crit: ['exp'] }),
    HEADER,
  ],
  [
    'a key of its own',
    ({ body, head }) => {
      const jwk = stranger.publicKey.export({ format: 'jwk' });
      return signedByStranger({ ...head, jwk }, body);
    },
    HEADER,
  ],
  ['an unknown key id', ({ head, body }) => signedByStranger({ ...head, kid: 'x' }, body), KEY],
  ['our key id on another key', ({ head, body }) => signedByStranger(head, body), SIGNATURE],
  [
    'another service',
    ({ token, body }) => {
      const [head, , tail] = token.split('.');
      return `${head}.${encode({ ...body, sub: 'payments/admin' })}.${tail}`;
    },
    SIGNATURE,
  ],
  [
    'a later end',
    ({ token, body }) => {
      const [head, , tail] = token.split('.');
      return `${head}.${encode({ ...body, exp: 9_999_999_999 })}.${tail}`;
    },
    SIGNATURE,
  ],
  ['a signature of zeros', ({ token }) => token.replace(/[^.]+$/, 'A'.repeat(86)), SIGNATURE],
  ['a short signature', ({ token }) => token.replace(/[^.]+$/, 'AAAA'), SIGNATURE],
  [
    'more bytes than allowed',
    ({ token }) => token + 'A'.repeat(4096),
    'expected a token of at most 4096 bytes but got a longer one',
  ],
];

describe('a forged token', () => {
  it.each(FORGERIES)('with %s is refused', async (_name, forge, message) => {
    const { keys, request, dataDir } = await setup();
    const { token } = keys.sign(request);
    const [head, body] = token.split('.').slice(0, 2).map(parse);
    const stored = await storedKey(dataDir);
    const forged = forge({ head: head ?? {}, body: body ?? {}, token, publicKeyPem: stored });
    const error = await meshErrorOf(() => keys.verify(forged, XDS));
    expect(error).toMatchObject({
      code: message === KEY ? 'token-key-unknown' : 'token-invalid',
      message,
    });
  });

  it('never verifies, whichever character changes, and is never in an error', async () => {
    const { keys, request } = await setup();
    const { token } = keys.sign(request);
    expect(token.length).toBeGreaterThan(200);
    for (let i = 0; i < token.length; i++) {
      const changed = `${token.slice(0, i)}${token[i] === 'A' ? 'B' : 'A'}${token.slice(i + 1)}`;
      const error = await meshErrorOf(() => keys.verify(changed, XDS));
      expect(['token-invalid', 'token-key-unknown']).toContain(error.code);
      expect(`${error.message} ${error.hint}`).not.toContain(token.slice(0, 12));
    }
  });

  it('never verifies after any truncation or random change of bytes', async () => {
    const { keys, request } = await setup();
    const { token } = keys.sign(request);
    const random = seededRandom('mutations');
    for (let round = 0; round < 2000; round++) {
      const bytes = Buffer.from(token, 'latin1');
      const edits = 1 + Math.floor(random.fraction() * 4);
      for (let edit = 0; edit < edits; edit++) {
        bytes[Math.floor(random.fraction() * bytes.length)] = random.bytes(1)[0] ?? 0;
      }
      const cut =
        random.fraction() < 0.3 ? Math.floor(random.fraction() * bytes.length) : undefined;
      const mutated = bytes.subarray(0, cut).toString('latin1');
      if (mutated === token) continue;
      const error = await meshErrorOf(() => keys.verify(mutated, XDS));
      expect(['token-invalid', 'token-key-unknown', 'token-missing']).toContain(error.code);
    }
  });
});

/** Text of the public key; in PEM, as an attacker would know it. */
async function storedKey(dataDir: DataDir): Promise<string> {
  const content = (await dataDir.read('token-keys.json'))?.toString() ?? '';
  const { keys } = JSON.parse(content) as { keys: readonly { privateKeyPem: string }[] };
  const pem = keys[0]?.privateKeyPem ?? '';
  return createPublicKey(pem).export({ type: 'spki', format: 'pem' }).toString();
}

describe('token keys', () => {
  it('are the same after a restart, and for all who make them at once', async () => {
    const dataDir = await temporaryDataDir();
    const many = await Promise.all(Array.from({ length: 4 }, () => setup(dataDir)));
    const tokens = many.map(({ keys, request }) => keys.sign(request).token);
    const { keys } = await setup(dataDir);
    expect(tokens.map((token) => keys.verify(token, XDS).subject)).toEqual(
      Array.from({ length: 4 }, () => 'payments/ledger'),
    );
  });

  it('of another server are unknown', async () => {
    const { keys, request } = await setup();
    const { keys: others } = await setup();
    const error = await meshErrorOf(() => others.verify(keys.sign(request).token, XDS));
    expect(error).toMatchObject({ code: 'token-key-unknown', message: KEY });
    expect(hintOf(error)).toMatch(/restored from an older backup.*countersign token/);
  });

  it('verify while they are in the list, though only the first signs', async () => {
    const { keys, request, dataDir } = await setup();
    const old = keys.sign(request).token;
    const { keys: newer, dataDir: newerDir } = await setup();
    const parseFile = async (dir: DataDir): Promise<{ version: 1; keys: unknown[] }> =>
      JSON.parse((await dir.read('token-keys.json'))?.toString() ?? '') as {
        version: 1;
        keys: unknown[];
      };
    const merged = [...(await parseFile(newerDir)).keys, ...(await parseFile(dataDir)).keys];
    await dataDir.write('token-keys.json', JSON.stringify({ version: 1, keys: merged }));
    const { keys: both } = await setup(dataDir);
    expect(both.verify(old, XDS).subject).toBe('payments/ledger');
    expect(newer.verify(both.sign(request).token, XDS).subject).toBe('payments/ledger');
  });

  it.each([
    ['', 'expected JSON but got other content'],
    ['{}', 'expected version as it was stored but got another form'],
    ['{"version":1,"keys":[]}', 'expected keys as it was stored but got another form'],
    [
      '{"version":1,"keys":[{"id":"x","createdAtMs":1,"privateKeyPem":"SECRET"}]}',
      'expected keys.0 as it was stored',
    ],
  ])('that are damaged (%j) are named, kept and not repeated', async (content, what) => {
    const dataDir = new MemoryDataDir();
    dataDir.files.set('token-keys.json', content);
    const error = await meshErrorOf(() => setup(dataDir));
    expect(error.code).toBe('data-damaged');
    expect(error.message).toBe(`/memory/token-keys.json: ${what}`);
    expectNoKey(error);
    expect(dataDir.files.get('token-keys.json')).toBe(content);
  });

  it('belong to their ids', async () => {
    const dataDir = new MemoryDataDir();
    await setup(dataDir);
    const { privateKeyPem } = await generateKeys('ecdsa-p256');
    const content = JSON.parse(dataDir.files.get('token-keys.json') ?? '') as {
      keys: { privateKeyPem: string }[];
    };
    for (const key of content.keys) key.privateKeyPem = privateKeyPem;
    dataDir.files.set('token-keys.json', JSON.stringify(content));
    const error = await meshErrorOf(() => setup(dataDir));
    expect(error.message).toBe('/memory/token-keys.json: expected keys.0 as it was stored');
  });
});
