// What a caller of the xDS port has proved: of which service it is, and by what. Proofs are our own
// tokens, JWTs of an outside issuer that mesh.yaml trusts, and client certificates of the mesh.
// Whoever shows a token and a certificate is who the token says, and the certificate may not
// contradict it. One place decides whose token it is, by the `iss` that it claims, before anything
// is verified: each issuer's tokens are then verified by that issuer's keys and rules alone.
import { createHash } from 'node:crypto';
import { MeshError } from '../../base/index.js';
import type { Caller } from '../../grpc/index.js';
import type { CertificateOwner } from '../../leaves/index.js';
import {
  findService,
  type Mesh,
  type ServiceName,
  toSpiffeIds,
  tryServiceName,
} from '../../policy/index.js';
import { splitNodeId } from '../../spiffe/index.js';
import { TOKEN_ISSUER, type TokenClaims, type TokenKeys } from '../../tokens/index.js';
import { type ClientIdentity, verifyClientCertificate } from '../../x509/check/index.js';
import { toToken } from './bearer.js';
import type { Party } from './party.js';
import { peekToken } from './peek-token.js';

/** By what a caller proved its service; nothing of it is secret. Times in ms since the epoch. */
export type Credential =
  | {
      readonly kind: 'token';
      readonly id: string;
      /** Of the key that signed it. */
      readonly keyId: string;
      readonly expiresAtMs: number;
    }
  | { readonly kind: 'certificate'; readonly serialHex: string; readonly notAfterMs: number }
  | {
      readonly kind: 'issuer-token';
      readonly issuer: string;
      /** Hash of the token. */
      readonly id: string;
      readonly expiresAtMs: number;
    };

export interface Proof {
  readonly service: ServiceName;
  /** The only one that the credential is good for. */
  readonly instance?: string;
  /** The only addresses, and ranges of them, that it is good for, each in its one spelling. */
  readonly addresses?: readonly string[];
  readonly credential: Credential;
}

/** What a token of an outside issuer proves. */
export interface IssuerProof {
  readonly service: ServiceName;
  readonly instance?: string;
  readonly addresses?: readonly string[];
  readonly expiresAtMs: number;
}

/** The outside issuers that the mesh in force trusts. */
export interface TokenIssuers {
  has(issuer: string): boolean;
  /** @throws MeshError token-invalid, token-expired, token-key-unknown, issuer-unreachable */
  verify(issuer: string, token: string, nowMs: number): Promise<IssuerProof>;
}

export const NO_ISSUERS: TokenIssuers = {
  has: () => false,
  verify: () => Promise.reject(new MeshError('token-invalid', 'no such issuer is trusted')),
};

export interface ProofOptions {
  readonly tokens: TokenKeys;
  readonly mesh: Mesh;
  readonly issuers?: TokenIssuers;
  readonly nowMs: number;
  /**
   * Which service the caller says it is: decides only among those that share the service account
   * of its certificate.
   */
  readonly claimed?: ServiceName | undefined;
  /** Whose a certificate is; undefined: nobody's that is known. */
  readonly ownerOf: OwnerOf;
  /** Called with what is proved as soon as it is, whatever it is refused for afterwards. */
  readonly onProved?: ((party: Party) => void) | undefined;
}

export type OwnerOf = (serialHex: string) => Promise<CertificateOwner | undefined>;

/**
 * What the caller proved. Pure but for an outside issuer's keys, which may be fetched.
 * @throws MeshError token-missing, token-invalid, token-expired, token-key-unknown,
 * certificate-refused; token-wrong-service where token and certificate disagree; service-unknown.
 */
export async function authenticateCaller(caller: Caller, options: ProofOptions): Promise<Proof> {
  const token = toToken(caller.authorization) ?? '';
  const { certificate } = caller;
  if (token === '' && certificate !== undefined) return proveByCertificate(certificate, options);
  const proof = await proveByToken(token, options);
  if (certificate !== undefined) refuseContradiction(certificate, proof.service, options);
  return proof;
}

async function proveByToken(token: string, options: ProofOptions): Promise<Proof> {
  const { tokens, mesh, nowMs, issuers = NO_ISSUERS, onProved } = options;
  const issuer = peekToken(token)?.issuer;
  if (issuer !== undefined && issuers.has(issuer)) {
    const { expiresAtMs, ...bound } = await issuers.verify(issuer, token, nowMs);
    const { service, instance } = bound;
    onProved?.(instance === undefined ? { service } : { service, instance });
    if (findService(mesh, service) === undefined) throw undeclared(service);
    const id = createHash('sha256').update(token).digest('hex');
    return { ...bound, credential: { kind: 'issuer-token', issuer, id, expiresAtMs } };
  }
  if (issuer !== undefined && issuer !== TOKEN_ISSUER) throw untrusted();
  const proved = tokens.verify(token, {
    audience: 'countersign-xds',
    nowMs,
    onSigned: (claims) => onProved?.(toTokenParty(claims)),
  });
  const service = tryServiceName(proved.subject);
  if (service === undefined || findService(mesh, service) === undefined)
    throw undeclared(proved.subject);
  const { id, keyId, expiresAtMs, instance, addresses } = proved;
  const bound = {
    ...(instance === undefined ? {} : { instance }),
    ...(addresses === undefined ? {} : { addresses }),
  };
  return { service, ...bound, credential: { kind: 'token', id, keyId, expiresAtMs } };
}

async function proveByCertificate(
  certificate: Uint8Array,
  { mesh, nowMs, claimed, ownerOf, onProved }: ProofOptions,
): Promise<Proof> {
  const { trustDomain } = mesh;
  const identity = verifyClientCertificate(certificate, { trustDomain, nowMs });
  const { serialHex, notAfterMs } = identity;
  onProved?.({ certificateSerialHex: serialHex });
  const credential = { kind: 'certificate', serialHex, notAfterMs } as const;
  const services = servicesOf(identity, mesh);
  const owner = await ownerOf(serialHex);
  if (owner === undefined) throw unknownCertificate();
  const { addresses } = owner;
  const bound = addresses === undefined ? {} : { addresses };
  if (owner.node === undefined) {
    const service = chooseService(services, identity, { mesh, claimed });
    onProved?.({ service, certificateSerialHex: serialHex });
    return { service, ...bound, credential };
  }
  const { service: name, instance } = splitNodeId(owner.node);
  onProved?.({ service: name, instance, certificateSerialHex: serialHex });
  const own = services.filter((service) => service === findService(mesh, name)?.name);
  chooseService(own, identity, { mesh, claimed });
  // By the name that it has had: it is the same node still.
  return { service: name as ServiceName, instance, ...bound, credential };
}

/** What isn't on record can't be told to be one node's, and can't be revoked. */
function unknownCertificate(): MeshError {
  const message = 'the client certificate is none that this server has a record of';
  return new MeshError('certificate-refused', message, { variant: 'unrecorded' });
}

function toTokenParty({ id: tokenId, subject: service, instance }: TokenClaims): Party {
  return instance === undefined ? { tokenId, service } : { tokenId, service, instance };
}

/**
 * With a token beside it a certificate proves nothing more, so that one which has ended does no
 * harm.
 */
function refuseContradiction(
  certificate: Uint8Array,
  service: ServiceName,
  { mesh }: ProofOptions,
): void {
  const { trustDomain } = mesh;
  const identity = verifyClientCertificate(certificate, { trustDomain, nowMs: undefined });
  const own = findService(mesh, service)?.name ?? service;
  if (servicesOf(identity, mesh).includes(own)) return;
  throw new MeshError(
    'token-wrong-service',
    `the token is for service "${service}" but the client certificate is another service's`,
  );
}

function servicesOf({ spiffeId }: ClientIdentity, mesh: Mesh): readonly ServiceName[] {
  const services = [...mesh.services.values()];
  return services
    .filter((service) => toSpiffeIds(service).includes(spiffeId))
    .map(({ name }) => name);
}

/** Of the services that share a service account, the one that is claimed or else certified. */
function chooseService(
  services: readonly ServiceName[],
  { spiffeId, dnsNames }: ClientIdentity,
  { mesh, claimed }: { readonly mesh: Mesh; readonly claimed: ServiceName | undefined },
): ServiceName {
  const [only] = services;
  if (only === undefined) {
    const which = `the client certificate is for "${spiffeId}"`;
    throw new MeshError('service-unknown', `${which}, which no service of the mesh is`, {
      hint: 'declare the service in mesh.yaml; the sidecar will try again by itself',
    });
  }
  if (services.length === 1) return only;
  const asked = claimed && findService(mesh, claimed)?.name;
  if (asked !== undefined && services.includes(asked)) return asked;
  const certified = services.filter((name) =>
    mesh.services.get(name)?.dnsNames.every((dnsName) => dnsNames.includes(dnsName)),
  );
  const [one] = certified;
  if (claimed === undefined && one !== undefined && certified.length === 1) return one;
  const message = 'the client certificate is for several services and the node claims none of them';
  throw new MeshError('token-wrong-service', message, { variant: 'unclaimed' });
}

/** Which issuer it says is the caller's own word: it is not repeated. */
function untrusted(): MeshError {
  const message = 'expected a token of this server but got one of an issuer that is not trusted';
  return new MeshError('token-invalid', message, { variant: 'issuer' });
}

function undeclared(subject: string): MeshError {
  return new MeshError(
    'service-unknown',
    `the token is for service "${subject}", which the mesh does not declare`,
    { hint: 'declare the service in mesh.yaml; the sidecar will try again by itself' },
  );
}

/** Hex digits. */
const SHOWN_OF_HASH = 32;

/** A credential as logs name it, each by another name. */
export function describeCredential(credential: Credential): string {
  switch (credential.kind) {
    case 'token':
      return `token ${credential.id}`;
    case 'certificate':
      return `certificate ${credential.serialHex}`;
    case 'issuer-token':
      return `token ${credential.id.slice(0, SHOWN_OF_HASH)} of ${credential.issuer}`;
  }
}
