// A JWT of an outside issuer, verified by `jose` with that issuer's keys and rules: algorithms and
// audiences are ours to choose, not the token's. It is loaded when the first such token comes: most
// meshes have none. No message repeats any of a token.
import { MeshError, SECOND_MS } from '../../../base/index.js';
import { claimMatches, type NodeIssuer, type NodeMapping } from '../../../policy/index.js';
import { INSTANCE_RULE, tryInstance } from '../../../spiffe/index.js';
import { CLOCK_SKEW_MS, MAX_TOKEN_ADDRESSES } from '../../../tokens/index.js';
import { tryRangeText } from '../../addresses/index.js';
import type { IssuerProof } from '../proof.js';
import type { JwkKeys, KeySource } from './key-source.js';

type Jose = typeof import('jose');
type KeyGetter = ReturnType<Jose['createLocalJWKSet']>;
type Claims = Readonly<Record<string, unknown>>;

export interface VerifyOptions {
  readonly issuer: NodeIssuer;
  readonly source: KeySource;
  readonly nowMs: number;
}

/** Outside tokens carry claims of their own; longer ones are refused unread. */
export const MAX_ISSUER_TOKEN_BYTES = 16_384;
/** Imported keys, for as long as their set is in use. */
const getters = new WeakMap<JwkKeys, KeyGetter>();

/**
 * Which service the token names.
 * @throws MeshError token-invalid, token-expired, token-key-unknown, token-wrong-service,
 * issuer-unreachable
 */
export async function verifyIssuerToken(
  token: string,
  { issuer, source, nowMs }: VerifyOptions,
): Promise<IssuerProof> {
  if (Buffer.byteLength(token) > MAX_ISSUER_TOKEN_BYTES) {
    throw invalid(`at most ${MAX_ISSUER_TOKEN_BYTES} bytes`, 'a longer one');
  }
  const jose = await import('jose');
  const check = { jose, issuer, nowMs };
  let claims = await tryVerify(token, { ...check, keys: await source.current() });
  if (claims === undefined) {
    const keys = await source.again();
    claims = keys === undefined ? undefined : await tryVerify(token, { ...check, keys });
  }
  if (claims === undefined) throw unknownKey();
  return toProof(claims, issuer, nowMs);
}

interface Check {
  readonly jose: Jose;
  readonly issuer: NodeIssuer;
  readonly keys: JwkKeys;
  readonly nowMs: number;
}

/** The token's claims; undefined where its key isn't among these. */
async function tryVerify(token: string, check: Check): Promise<Claims | undefined> {
  const { jose, issuer, keys, nowMs } = check;
  try {
    const getter = getters.get(keys) ?? jose.createLocalJWKSet({ keys: keys.map(toJwk) });
    getters.set(keys, getter);
    const { payload } = await jose.jwtVerify(token, getter, {
      issuer: issuer.issuer,
      audience: [...issuer.audiences],
      algorithms: [...issuer.algorithms],
      currentDate: new Date(nowMs),
      clockTolerance: CLOCK_SKEW_MS / SECOND_MS,
      requiredClaims: ['exp'],
    });
    return payload;
  } catch (error) {
    if (error instanceof jose.errors.JWKSNoMatchingKey) return undefined;
    throw toMeshError(error, jose);
  }
}

/** jose's type wants `kty`, which `readJwks` has looked at. */
function toJwk(key: Readonly<Record<string, unknown>>) {
  return { ...key, kty: String(key['kty']) };
}

function toProof(claims: Claims, issuer: NodeIssuer, nowMs: number): IssuerProof {
  const { exp, iat } = claims;
  if (typeof iat === 'number' && iat * SECOND_MS > nowMs + CLOCK_SKEW_MS) {
    throw invalid('one of the past', 'one issued later than now');
  }
  const mapping = issuer.nodes.find((node) => matches(node, claims));
  if (mapping === undefined) {
    const message = 'no entry of nodeIssuers names a service for the claims of this token';
    throw new MeshError('token-wrong-service', message, {
      hint: 'compare the claims that the issuer puts into it with `nodes` in mesh.yaml',
    });
  }
  const expiresAtMs = Number(exp) * SECOND_MS;
  const { service } = mapping;
  return {
    ...{ service, expiresAtMs },
    ...(mapping.instance === undefined ? {} : { instance: toInstance(claims, mapping.instance) }),
    ...(mapping.addresses === undefined
      ? {}
      : { addresses: toAddresses(claims, mapping.addresses) }),
  };
}

function toInstance(claims: Claims, name: string): string {
  const instance = claimOf(claims, name);
  if (typeof instance !== 'string' || instance === '') {
    throw invalid(`the claim "${name}" as text, which names the instance`, 'none');
  }
  // A certificate is handed out for it by the name that a sidecar would join by.
  if (tryInstance(instance) === undefined) {
    throw invalid(`the claim "${name}" to be ${INSTANCE_RULE}`, 'another text');
  }
  return instance;
}

function toAddresses(claims: Claims, name: string): readonly string[] {
  const found = claimOf(claims, name);
  const texts: readonly unknown[] = Array.isArray(found) ? found : [found];
  const addresses = texts.map(tryRangeText).filter((address) => address !== undefined);
  const isGood = addresses.length === texts.length && addresses.length > 0;
  if (isGood && addresses.length <= MAX_TOKEN_ADDRESSES) return addresses;
  const wanted = `an IP address or range, or a list of at most ${MAX_TOKEN_ADDRESSES}`;
  throw invalid(`the claim "${name}" to be ${wanted}`, found === undefined ? 'none' : 'another');
}

function matches(node: NodeMapping, claims: Claims): boolean {
  return node.claims.every(({ name, pattern }) => claimMatches(pattern, claimOf(claims, name)));
}

/** Nothing that every object has by birth. */
function claimOf(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

function toMeshError(error: unknown, { errors }: Jose): MeshError {
  if (error instanceof errors.JWTExpired && error.claim === 'exp') {
    return new MeshError('token-expired', 'expected a token in force but it has ended', {
      hint: 'see that what fetches tokens from the issuer renews them in time',
    });
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return invalid(`the claim "${error.claim}" as mesh.yaml asks for it`, 'another or none', error);
  }
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
    return invalid('an algorithm that mesh.yaml allows', 'another', error);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return invalid('a valid signature', 'another', error);
  }
  if (error instanceof errors.JWKSMultipleMatchingKeys) {
    return invalid('the id of its key', 'none, and the issuer has several', error);
  }
  return invalid('a signed JWT', 'another form', error);
}

function invalid(wanted: string, got: string, cause?: unknown): MeshError {
  const message = `the issuer's token: expected ${wanted} but got ${got}`;
  return new MeshError('token-invalid', message, { cause });
}

function unknownKey(): MeshError {
  const message = 'expected a token signed by a key of its issuer but got an unknown key';
  return new MeshError('token-key-unknown', message, {
    hint: 'see that the keys that `nodeIssuers` names are those of the issuer',
  });
}
