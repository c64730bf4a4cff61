// Tokens that say who a client of the xDS port or the admin port is: JWTs (RFC 7519) in compact
// form, signed with ES256 (RFC 7518 3.4) and nothing else. The algorithm is ours to choose, not the
// token's: `alg` is compared, never followed, so "none" and HMAC with the public key lead nowhere.
// Nothing of a token is looked at before its signature holds, and no message repeats any of it.

import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { isIP } from 'node:net';
import { z } from 'zod';
import { MeshError, SECOND_MS, toRfc3339 } from '../base/index.js';
import { tryInstance } from '../spiffe/index.js';

export type TokenAudience = 'countersign-xds' | 'countersign-admin';

export interface TokenKey {
  /** Thumbprint of the public key (RFC 7638), which tokens name as `kid`. */
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** Its tokens are refused from then on, in ms since the epoch; absent: no end. */
  readonly verifyUntilMs?: number;
}

export interface TokenRequest {
  readonly audience: TokenAudience;
  /** The service's name (`payments/ledger`), or who administers. */
  readonly subject: string;
  /** Binds the token to one instance of the service. */
  readonly instance?: string;
  /** Binds the token to sidecars at these IP addresses and ranges, each in its one spelling. */
  readonly addresses?: readonly string[];
  readonly ttlMs: number;
  readonly nowMs: number;
  /** The token's own id, unguessable. */
  readonly id: string;
}

export interface SignedToken {
  readonly token: string;
  readonly id: string;
  /** Ms since the epoch, a whole second. */
  readonly expiresAtMs: number;
}

export interface VerifiedToken {
  readonly id: string;
  readonly audience: TokenAudience;
  readonly subject: string;
  readonly instance: string | undefined;
  /** The only addresses, and ranges of them, that its holder may be at; undefined: any. */
  readonly addresses: readonly string[] | undefined;
  readonly issuedAtMs: number;
  /** Its own end, or that of its key where it is earlier. */
  readonly expiresAtMs: number;
  readonly keyId: string;
}

/** What a token says of its holder. */
export type TokenClaims = Pick<VerifiedToken, 'id' | 'subject' | 'instance'>;

/** Longer ones are refused unread. */
export const MAX_TOKEN_BYTES = 4096;
/** So many addresses a token may be bound to: it stays short enough for a header. */
export const MAX_TOKEN_ADDRESSES = 32;
/**
 * By how much the clocks of issuer and verifier may differ (RFC 7519 4.1.4: "a few minutes" at
 * most).
 */
export const CLOCK_SKEW_MS = 30_000;

/** The `iss` of our own tokens. */
export const TOKEN_ISSUER = 'countersign';
const ALGORITHM = 'ES256';
const SIGNING = { dsaEncoding: 'ieee-p1363' } as const;

const header = z.strictObject({
  alg: z.literal(ALGORITHM),
  kid: z.string(),
  typ: z.literal('JWT'),
});
/** A later time is none that a Date can hold. */
const MAX_SECONDS = 8_640_000_000_000;
const seconds = z.number().int().nonnegative().max(MAX_SECONDS);
const claims = z.strictObject({
  iss: z.literal(TOKEN_ISSUER),
  aud: z.enum(['countersign-xds', 'countersign-admin']),
  sub: z.string().min(1),
  instance: z
    .string()
    .refine((text) => tryInstance(text) !== undefined)
    .optional(),
  addresses: z
    .array(z.string().refine((text) => isIP(text.split('/')[0] ?? '') !== 0))
    .min(1)
    .max(MAX_TOKEN_ADDRESSES)
    .optional(),
  iat: seconds,
  exp: seconds,
  jti: z.string().min(1),
});

/** A private key with the id that its tokens carry. */
export function toTokenKey(privateKey: KeyObject, id: string): TokenKey {
  return { id, privateKey, publicKey: createPublicKey(privateKey) };
}

/** A signed token; it ends `ttlMs` after `nowMs`, rounded up to a second. */
export function signToken(request: TokenRequest, key: TokenKey): SignedToken {
  const { audience, subject, instance, addresses, ttlMs, nowMs, id } = request;
  const exp = Math.ceil((nowMs + ttlMs) / SECOND_MS);
  const payload: z.infer<typeof claims> = {
    iss: TOKEN_ISSUER,
    aud: audience,
    sub: subject,
    ...(instance === undefined ? {} : { instance }),
    ...(addresses === undefined ? {} : { addresses: [...addresses] }),
    iat: Math.floor(nowMs / SECOND_MS),
    exp,
    jti: id,
  };
  const content = `${encode({ alg: ALGORITHM, kid: key.id, typ: 'JWT' })}.${encode(payload)}`;
  const options = { key: key.privateKey, ...SIGNING };
  const signature = sign('sha256', Buffer.from(content), options).toString('base64url');
  return { token: `${content}.${signature}`, id, expiresAtMs: exp * SECOND_MS };
}

export interface VerifyTokenOptions {
  readonly audience: TokenAudience;
  readonly nowMs: number;
  readonly keys: ReadonlyMap<string, TokenKey>;
  /** What the signature proves, before it is known whether the token is in force. */
  readonly onSigned?: ((claims: TokenClaims) => void) | undefined;
}

/**
 * What a token proves.
 * @throws MeshError token-missing, token-invalid, token-key-unknown, token-expired
 */
export function verifyToken(token: string | undefined, options: VerifyTokenOptions): VerifiedToken {
  if (token === undefined || token === '') {
    throw new MeshError('token-missing', 'expected a token but got none');
  }
  const { key, payload } = checkSignature(token, options);
  const parsed = claims.safeParse(payload);
  if (!parsed.success) throw invalid('expected the claims of a countersign token but got others');
  const { aud, sub, instance, addresses, iat, exp, jti } = parsed.data;
  if (aud !== options.audience) {
    throw invalid(`expected a token for ${options.audience} but got one for ${aud}`);
  }
  options.onSigned?.({ id: jti, subject: sub, instance });
  const endsAtMs = exp * SECOND_MS;
  const issuedAtMs = iat * SECOND_MS;
  refuseEndedKey(key, options.nowMs);
  if (options.nowMs >= endsAtMs + CLOCK_SKEW_MS) {
    throw expired(`expected a token in force but it ended ${toRfc3339(endsAtMs)}`);
  }
  if (issuedAtMs > options.nowMs + CLOCK_SKEW_MS) {
    const [made, now] = [issuedAtMs, options.nowMs].map(toRfc3339);
    const later = `expected a token of the past but got one that was made at ${made}`;
    const message = `${later}, which by this server's clock (${now}) is yet to come`;
    throw new MeshError('token-invalid', message, { variant: 'clock' });
  }
  const expiresAtMs = Math.min(endsAtMs, key.verifyUntilMs ?? endsAtMs);
  const proved = { id: jti, audience: aud, subject: sub, instance, addresses, keyId: key.id };
  return { ...proved, issuedAtMs, expiresAtMs };
}

function checkSignature(
  token: string,
  { keys }: Pick<VerifyTokenOptions, 'keys'>,
): { key: TokenKey; payload: unknown } {
  if (Buffer.byteLength(token) > MAX_TOKEN_BYTES) {
    throw invalid(`expected a token of at most ${MAX_TOKEN_BYTES} bytes but got a longer one`);
  }
  const parts = token.split('.');
  const [head, body, tail] = parts.map(decode);
  if (parts.length !== 3 || head === undefined || body === undefined || tail === undefined) {
    throw invalid('expected a token of three parts in base64url but got another form');
  }
  const parsed = header.safeParse(tryJson(head));
  if (!parsed.success) throw invalid(`expected a JWT header for ${ALGORITHM} but got another one`);
  const { kid } = parsed.data;
  const key = keys.get(kid);
  if (key === undefined) {
    const message = 'expected a token signed by a key of this server but got an unknown key';
    throw new MeshError('token-key-unknown', message);
  }
  const content = Buffer.from(token.slice(0, token.lastIndexOf('.')));
  if (!verify('sha256', content, { key: key.publicKey, ...SIGNING }, tail)) {
    throw invalid('expected a valid signature of the token but got another');
  }
  return { key, payload: tryJson(body) };
}

/** After the signature: whose token it was is known then. */
function refuseEndedKey({ verifyUntilMs }: TokenKey, nowMs: number): void {
  if (verifyUntilMs === undefined || nowMs < verifyUntilMs) return;
  throw expired(
    `expected a token of a key in force but that key ended ${toRfc3339(verifyUntilMs)}`,
  );
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/**
 * Node's decoder skips what it does not know; only the one canonical spelling is let in (RFC 7515
 * 2).
 */
function decode(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, 'base64url');
  return part !== '' && bytes.toString('base64url') === part ? bytes : undefined;
}

function tryJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

function expired(message: string): MeshError {
  return new MeshError('token-expired', message);
}

function invalid(message: string): MeshError {
  return new MeshError('token-invalid', message);
}
