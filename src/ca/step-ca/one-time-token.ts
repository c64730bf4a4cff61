// What step-ca calls an OTT: a JWT, signed by a provisioner's key, that says which names the next
// certificate shall have. Good for one request, a few minutes, and that one CSR (`cnf`): whoever
// sees it can have nothing else signed. Never logged, never part of an error.
// Rules: smallstep/certificates v0.30.2, authority/provisioner/jwk.go (AuthorizeSign).

import { sign } from 'node:crypto';
import { SECOND_MS } from '../../base/index.js';
import type { SpiffeId } from '../../spiffe/index.js';
import type { ProvisionerKey, TokenAlgorithm } from './provisioner-key.js';

export interface TokenContent {
  /** The provisioner's name. */
  readonly provisioner: string;
  /** The address of what it is for. */
  readonly audience: string;
  /** Becomes the certificate's common name. */
  readonly subject: string;
  readonly spiffeId: SpiffeId;
  readonly dnsNames: readonly string[];
  /** SHA-256 of the CSR. */
  readonly csrDigest: Buffer;
  /** SHA-256 of the root that we trust, hex. */
  readonly rootFingerprint: string;
  readonly nowMs: number;
  /** Unguessable, never used before. */
  readonly id: string;
}

const LIFETIME_S = 300;
const DIGESTS: Readonly<Record<TokenAlgorithm, string>> = {
  ES256: 'sha256',
  ES384: 'sha384',
  RS256: 'sha256',
};

export function signOneTimeToken(content: TokenContent, key: ProvisionerKey): string {
  const issuedAt = Math.floor(content.nowMs / SECOND_MS);
  const header = { alg: key.algorithm, kid: key.id, typ: 'JWT' };
  const claims = {
    iss: content.provisioner,
    aud: content.audience,
    sub: content.subject,
    sans: [content.spiffeId, ...content.dnsNames],
    cnf: { 'x5rt#S256': content.csrDigest.toString('base64url') },
    sha: content.rootFingerprint,
    nbf: issuedAt,
    iat: issuedAt,
    exp: issuedAt + LIFETIME_S,
    jti: content.id,
  };
  const signed = `${encode(header)}.${encode(claims)}`;
  const options = { key: key.privateKey, dsaEncoding: 'ieee-p1363' } as const;
  const signature = sign(DIGESTS[key.algorithm], Buffer.from(signed), options);
  return `${signed}.${signature.toString('base64url')}`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
