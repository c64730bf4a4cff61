// Tokens of an outside issuer, made without the code that verifies them.
import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';

export interface IssuerKey {
  readonly kid: string;
  readonly alg: 'RS256' | 'ES256' | 'EdDSA';
  readonly privateKey: KeyObject;
  /** As a key set publishes it. */
  readonly jwk: Readonly<Record<string, unknown>>;
}

export function issuerKey(alg: IssuerKey['alg'], kid: string): IssuerKey {
  const { privateKey, publicKey } =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : alg === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('ed25519');
  return { kid, alg, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg } };
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export type Claims = Readonly<Record<string, unknown>>;

export function issue(key: IssuerKey, claims: Claims, header: object = {}): string {
  const head = encode({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header });
  const content = `${head}.${encode(claims)}`;
  const hash = key.alg === 'EdDSA' ? null : 'sha256';
  const options = { key: key.privateKey, dsaEncoding: 'ieee-p1363' } as const;
  return `${content}.${sign(hash, Buffer.from(content), options).toString('base64url')}`;
}

export function unsigned(claims: Claims): string {
  return `${encode({ alg: 'none' })}.${encode(claims)}.`;
}

/** HMAC with what everybody knows: the public key, as PEM. */
export function confused(key: IssuerKey, claims: Claims): string {
  const pem = createPublicKey(key.privateKey).export({ type: 'spki', format: 'pem' });
  const content = `${encode({ alg: 'HS256', kid: key.kid, typ: 'JWT' })}.${encode(claims)}`;
  return `${content}.${createHmac('sha256', pem).update(content).digest('base64url')}`;
}
