// The private key of a JWK provisioner, which signs the one-time tokens by which step-ca knows us.
// Whoever has it can get a certificate of any name, so it is never part of a message. step-ca finds
// the provisioner by its name and the key's id: the JWK's own `kid`, else the thumbprint (RFC
// 7638), which is what `step` makes it.
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { MeshError } from '../../base/index.js';

export type TokenAlgorithm = 'ES256' | 'ES384' | 'RS256';

export interface ProvisionerKey {
  readonly id: string;
  readonly algorithm: TokenAlgorithm;
  readonly privateKey: KeyObject;
}

const CURVES: Readonly<Record<string, TokenAlgorithm>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
};
/** What is required of a public JWK, in the order of its thumbprint (RFC 7638 section 3.2). */
const REQUIRED = { EC: ['crv', 'kty', 'x', 'y'], RSA: ['e', 'kty', 'n'] } as const;
const MIN_RSA_BITS = 2048;
const DECRYPT_HINT =
  'decrypt it by `step crypto jwe decrypt < key.jwe > key.jwk`, and `chmod 600 key.jwk`';

const jwk = z.looseObject({ kty: z.string(), kid: z.string().min(1).optional() });

/** @param file Named in messages. @throws MeshError outside-ca-invalid */
export function parseProvisionerKey(text: string, file: string): ProvisionerKey {
  const refuse = (got: string, hint?: string): MeshError =>
    new MeshError(
      'outside-ca-invalid',
      `expected the private key of a JWK provisioner in ${file} but got ${got}`,
      {
        path: 'authority.stepCa.key',
        hint: hint ?? 'write it as a JWK of kty EC or RSA, or as PEM of PKCS #8',
      },
    );
  const trimmed = text.trim();
  if (trimmed.includes('ENCRYPTED')) throw refuse('an encrypted key', DECRYPT_HINT);
  if (trimmed.startsWith('-----')) return fromPem(trimmed, refuse);
  if (/^[\w-]+(\.[\w-]*){4}$/.test(trimmed)) throw refuse('an encrypted key (JWE)', DECRYPT_HINT);
  const parsed = jwk.safeParse(tryJson(trimmed));
  if (!parsed.success) {
    const isJwe = z.looseObject({ ciphertext: z.string() }).safeParse(tryJson(trimmed)).success;
    throw isJwe ? refuse('an encrypted key (JWE)', DECRYPT_HINT) : refuse('other text');
  }
  const privateKey = tryKey(() => createPrivateKey({ key: parsed.data, format: 'jwk' }));
  if (privateKey === undefined) {
    const isPublic = tryKey(() => createPublicKey({ key: parsed.data, format: 'jwk' }));
    throw refuse(isPublic === undefined ? 'a JWK that is none' : 'the public key only');
  }
  return toProvisionerKey(privateKey, { id: parsed.data.kid, refuse });
}

function fromPem(pem: string, refuse: (got: string) => MeshError): ProvisionerKey {
  const privateKey = tryKey(() => createPrivateKey(pem));
  if (privateKey === undefined) throw refuse('other PEM');
  return toProvisionerKey(privateKey, { id: undefined, refuse });
}

function toProvisionerKey(
  privateKey: KeyObject,
  { id, refuse }: { id: string | undefined; refuse: (got: string) => MeshError },
): ProvisionerKey {
  const algorithm = toAlgorithm(privateKey);
  if (algorithm === undefined) {
    const details = privateKey.asymmetricKeyDetails;
    const what = details?.namedCurve ?? details?.modulusLength ?? '';
    throw refuse(`a key of type ${privateKey.asymmetricKeyType} ${what}`.trimEnd());
  }
  return { id: id ?? toThumbprint(privateKey), algorithm, privateKey };
}

function toAlgorithm({
  asymmetricKeyType,
  asymmetricKeyDetails: details,
}: KeyObject): TokenAlgorithm | undefined {
  if (asymmetricKeyType === 'ec') return CURVES[details?.namedCurve ?? ''];
  const isRsa = asymmetricKeyType === 'rsa' && (details?.modulusLength ?? 0) >= MIN_RSA_BITS;
  return isRsa ? 'RS256' : undefined;
}

function toThumbprint(privateKey: KeyObject): string {
  const members = createPublicKey(privateKey).export({ format: 'jwk' });
  const names = REQUIRED[privateKey.asymmetricKeyType === 'rsa' ? 'RSA' : 'EC'];
  const required = Object.fromEntries(names.map((name) => [name, members[name]]));
  return createHash('sha256').update(JSON.stringify(required)).digest('base64url');
}

/** Node's own words on a bad key are not passed on: they may come to quote it. */
function tryKey(read: () => KeyObject): KeyObject | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
