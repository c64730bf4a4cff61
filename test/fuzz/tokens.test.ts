// Ten thousand tokens that somebody might send instead of a good one: each is refused with an error
// of ours that repeats nothing of it; none crashes, none is believed. `npm run soak` runs more.
import { createHmac, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import { createTokenKeys, type TokenKeys } from '../../src/tokens/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { MemoryDataDir } from '../x509/tools.js';

const ROUNDS = 10_000 * Math.ceil(Number(process.env['FUZZ_ROUNDS'] ?? 1) / 100);
const XDS = { audience: 'countersign-xds' } as const;
const CODES = ['token-missing', 'token-invalid', 'token-key-unknown', 'token-expired'];

const random = seededRandom('token fuzz');
const number = (below: number): number => Math.floor(random.fraction() * below);
function pick<T>(items: readonly [T, ...T[]]): T {
  return items[number(items.length)] ?? items[0];
}
const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64url');

interface Good {
  readonly token: string;
  readonly admin: string;
  readonly head: string;
  readonly body: string;
  readonly tail: string;
  readonly privateKeyPem: string;
  readonly publicPem: string;
  readonly kid: string;
}

/** A token whose signature holds: only its claims can betray it. */
function signed({ privateKeyPem }: Good, head: string, body: string): string {
  const content = `${base64(head)}.${base64(body)}`;
  const key = { key: createPrivateKey(privateKeyPem), dsaEncoding: 'ieee-p1363' } as const;
  return `${content}.${base64(sign('sha256', Buffer.from(content), key))}`;
}

function flipped(text: string): string {
  const bytes = Buffer.from(text, 'base64url');
  for (let left = 1 + number(3); left > 0; left--) {
    const at = number(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << number(8));
  }
  return bytes.toString('base64url');
}

const NUMBERS = ['1e308', '-1', '1.5', '9007199254740993', '8640000000001', '1e400', '"1"', 'null'];
const UNICODE = ['\u0000', '\u202e', '\ud800', 'ﬀ', '🔑', '../', '%2e', '\n', "'", '​'];

/** Kinds of mutation; each gives something else than a good token. */
const MUTATIONS: Readonly<Record<string, (good: Good) => string>> = {
  'bits of the header': ({ head, body, tail }) => `${flipped(head)}.${body}.${tail}`,
  'bits of the claims': ({ head, body, tail }) => `${head}.${flipped(body)}.${tail}`,
  'bits of the signature': ({ head, body, tail }) => `${head}.${body}.${flipped(tail)}`,
  'parts in another order': ({ head, body, tail }) => {
    const orders = [
      `${head}.${tail}.${body}`,
      `${body}.${head}.${tail}`,
      `${body}.${tail}.${head}`,
      `${tail}.${head}.${body}`,
      `${tail}.${body}.${head}`,
    ] as const;
    return pick([...orders]);
  },
  'parts of two tokens': ({ head, body, admin }) => {
    const [, adminBody = '', adminTail = ''] = admin.split('.');
    return pick([`${head}.${adminBody}.${'A'.repeat(86)}`, `${head}.${body}.${adminTail}`]);
  },
  'another number of parts': ({ token, head, body }) =>
    pick([head, `${head}.${body}`, `${token}.`, `.${token}`, `${token}.${head}`, '..', '...']),
  'an algorithm of its own': ({ body, tail, kid, publicPem }) => {
    const alg = pick(['none', 'None', 'HS256', 'ES384', 'ES512', 'RS256', 'PS256', 'EdDSA', '']);
    const head = base64(JSON.stringify({ alg, kid, typ: 'JWT' }));
    const hmac = createHmac('sha256', publicPem).update(`${head}.${body}`).digest('base64url');
    return `${head}.${body}.${pick([tail, hmac, ''])}`;
  },
  'a key id of its own': ({ body, tail }) => {
    const kid = pick<unknown>([
      '',
      '../token-keys.json',
      0,
      null,
      [],
      {},
      '__proto__',
      'x'.repeat(2000),
    ]);
    return `${base64(JSON.stringify({ alg: 'ES256', kid, typ: 'JWT' }))}.${body}.${tail}`;
  },
  'further header fields': ({ body, tail, kid }) => {
    const more = pick<object>([
      { jku: 'https://evil.example/keys' },
      { x5u: 'https://evil.example/c' },
      { crit: ['exp'] },
      { jwk: {} },
      { b64: false },
      { zip: 'DEF' },
    ]);
    return `${base64(JSON.stringify({ alg: 'ES256', kid, typ: 'JWT', ...more }))}.${body}.${tail}`;
  },
  'a spelling of base64 of its own': ({ token, head, body, tail }) => {
    const last = tail.slice(0, -1) + (tail.endsWith('A') ? 'B' : 'A');
    return pick([
      `${token}=`,
      `${head}==.${body}.${tail}`,
      `${head}.${body}.${last}`,
      ` ${token}`,
      `${head}\n.${body}.${tail}`,
      `${head}.${body}.${tail.slice(0, 40)} ${tail.slice(40)}`,
      `${head}.${body}.${tail}%3d`,
      `${head}.${Buffer.from(body, 'base64url').toString('base64')}=.${tail}`,
    ]);
  },
  'claims twice': ({ head, body, tail }) => {
    const claims = Buffer.from(body, 'base64url').toString();
    const twice = pick(['"sub":"payments/admin"', '"aud":"countersign-admin"', '"exp":9999999999']);
    return `${head}.${base64(`${claims.slice(0, -1)},${twice}}`)}.${tail}`;
  },
  'a signature of numbers': ({ head, body }) => {
    const size = pick([0, 1, 32, 63, 64, 65, 96, 128]);
    const bytes = pick([Buffer.alloc(size), Buffer.alloc(size, 0xff), random.bytes(size)]);
    return `${head}.${body}.${bytes.toString('base64url')}`;
  },
  'random text': () => random.bytes(number(300)).toString(pick(['latin1', 'utf8', 'base64'])),
  'text of any length': ({ token }) => `${token}${pick(['A', '.', '€']).repeat(number(6000))}!`,
  'claims of other forms, well signed': (good) => {
    const claims = JSON.parse(Buffer.from(good.body, 'base64url').toString()) as object;
    const at = pick(['iat', 'exp']);
    const wrong = pick<object>([
      { iss: pick(['', 'someone', 'countersign\u0000']) },
      { aud: pick<unknown>(['countersign-admin', ['countersign-xds'], '', null]) },
      { sub: pick<unknown>(['', 0, null, ['payments/ledger'], {}]) },
      { instance: pick<unknown>(['', 7, null]) },
      { jti: pick<unknown>(['', 1]) },
      { nbf: 9_999_999_999 },
      { exp: 1 },
      { iat: 9_999_999_999 },
      { [pick(['__proto__', 'constructor', 'scope'])]: true, x: 1 },
    ]);
    const text = JSON.stringify({ ...claims, ...wrong });
    const numbers = pick(NUMBERS as [string, ...string[]]);
    const odd = JSON.stringify(claims).replace(new RegExp(`"${at}":\\d+`), `"${at}":${numbers}`);
    const body = pick([text, odd, '[]', 'null', '"text"', '{', '', '[[[[']);
    return signed(good, Buffer.from(good.head, 'base64url').toString(), body);
  },
  'names in other letters': ({ head, body, tail }) => {
    const odd = pick(UNICODE as [string, ...string[]]);
    const claims = Buffer.from(body, 'base64url').toString();
    return `${head}.${base64(claims.replace('ledger', `ledger${odd}`))}.${tail}`;
  },
};

async function setup(): Promise<{ keys: TokenKeys; good: Good }> {
  const dataDir = new MemoryDataDir();
  const clock = new ManualClock();
  const keys = await createTokenKeys({ dataDir, clock, random: seededRandom('token keys') });
  const request = { subject: 'payments/ledger', ttlMs: 3_600_000 };
  const { token } = keys.sign({ ...XDS, ...request });
  const [head = '', body = '', tail = ''] = token.split('.');
  const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString());
  const stored = JSON.parse(dataDir.files.get('token-keys.json') ?? '');
  const privateKeyPem: string = stored.keys[0].privateKeyPem;
  const publicPem = createPublicKey(privateKeyPem).export({ type: 'spki', format: 'pem' });
  const admin = keys.sign({ ...request, audience: 'countersign-admin' }).token;
  const keyTexts = { privateKeyPem, publicPem: publicPem.toString(), kid };
  return { keys, good: { token, admin, head, body, tail, ...keyTexts } };
}

/** The code of the refusal. */
function refusal(keys: TokenKeys, token: string): string {
  try {
    return `accepted: ${JSON.stringify(keys.verify(token, XDS))}`;
  } catch (error) {
    if (!(error instanceof MeshError)) return `crashed: ${String(error)}`;
    const told = `${error.message} ${error.hint}`;
    const longest = token.split(/[.=\s]/).filter((part) => part.length >= 12);
    if (longest.some((part) => told.includes(part))) return `told: ${told}`;
    return error.code;
  }
}

describe('a mutated token', () => {
  it(`is refused, ${ROUNDS} times`, async () => {
    const { keys, good } = await setup();
    const names = Object.keys(MUTATIONS);
    expect(names.length).toBeGreaterThan(10);
    const wrong: string[] = [];
    const counts = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      const name = names[round % names.length] ?? '';
      // Two flips of one bit undo each other.
      let token = good.token;
      while (token === good.token) token = MUTATIONS[name]?.(good) ?? '';
      const found = refusal(keys, token);
      counts.set(found, (counts.get(found) ?? 0) + 1);
      if (!CODES.includes(found)) wrong.push(`${name}: ${JSON.stringify(token)}: ${found}`);
    }
    expect(wrong).toEqual([]);
    expect([...counts.keys()].sort()).toEqual([...CODES].sort());
    // The keys still know their own.
    expect(keys.verify(good.token, XDS).subject).toBe('payments/ledger');
  });

  it('is accepted where only the way to sign it differs', async () => {
    const { keys, good } = await setup();
    const [head, body] = [good.head, good.body].map((part) =>
      Buffer.from(part, 'base64url').toString(),
    );
    expect(keys.verify(signed(good, head ?? '', body ?? ''), XDS).subject).toBe('payments/ledger');
  });
});
