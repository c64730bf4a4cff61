// Certificates for keys that their holders keep: who asks has proved a service by a token or by a
// certificate, and the request proves that its sender holds the key. The certificate says what the
// mesh says of that service, whatever the request names. It is recorded before it is given away:
// one that nobody knows of could not be revoked.
import { type Clock, type Logger, MeshError, RateLimit, SECOND_MS } from '../../base/index.js';
import type { Authority, LeafCertificate } from '../../ca/index.js';
import type { DataDir } from '../../data/index.js';
import type { CertificateQuestion } from '../../grpc/certificates/index.js';
import type { Caller } from '../../grpc/index.js';
import { findHandedOut, type HandingOut, recordHandedOut } from '../../leaves/index.js';
import {
  findService as findDeclared,
  type Mesh,
  type Service,
  type ServiceName,
} from '../../policy/index.js';
import { toNodeId } from '../../spiffe/index.js';
import { assertIdentity, readCsr, splitPem, toPem } from '../../x509/read/index.js';
import { toLeafSettings } from './leaf-settings.js';
import { type Credential, describeCredential, type Proof } from './proof.js';

export interface CertificateServiceOptions {
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info'>;
  readonly authority: Authority;
  readonly dataDir: DataDir;
  /** In force. */
  readonly mesh: () => Mesh;
  /** What a caller proved. Throws a MeshError where that is nothing. */
  readonly prove: (caller: Caller, mesh: Mesh) => Promise<Proof>;
}

/**
 * For each service: a fleet of that size may start at once, and a stolen token fills the disk with
 * records no faster than that (432,000 a day, of half a kB each).
 */
export const CERTIFICATE_RATE = { burst: 200, perSecond: 5 } as const;
const SHORTEST_S = 10;

/** Answers requests for certificates. */
export function createCertificateService(
  options: CertificateServiceOptions,
): (question: CertificateQuestion) => Promise<readonly string[]> {
  const { clock, logger, authority, dataDir } = options;
  const rates = new Map<ServiceName, RateLimit>();

  return async ({ caller, csr, validityS }) => {
    const mesh = options.mesh();
    const proof = await options.prove(caller, mesh);
    const service = findService(mesh, proof.service);
    takeFrom(rates, service.name, clock);
    const { spiffeId, dnsNames, ttlMs: longestMs } = toLeafSettings(service);
    const request = readCsr(csr);
    assertIdentity(request, spiffeId);
    const ttlMs = toTtlMs(validityS, longestMs);
    const certificate = await authority.certify({
      ...{ spiffeId, dnsNames, ttlMs },
      ...{ publicKeyDer: request.publicKeyDer, csrDer: request.der },
    });
    const handingOut = await toHandingOut(dataDir, certificate, proof);
    await recordHandedOut(dataDir, handingOut);
    const { serialHex: serial, notAfterMs } = certificate;
    const { node, credential } = {
      ...handingOut,
      credential: describeCredential(proof.credential),
    };
    const fields = { service: service.name, node, serial, ttlMs, notAfterMs, credential };
    logger.info({ ...fields, peer: caller.address }, 'certificate handed out');
    // The anchors stand last and in one: who asks by this protocol takes the last for its bundle.
    return [...splitPem(certificate.chainPem).map(toPem), authority.trustAnchorsPem];
  };
}

function findService(mesh: Mesh, name: ServiceName): Service {
  const service = findDeclared(mesh, name);
  if (service !== undefined) return service;
  throw new MeshError('service-unknown', `the mesh declares no service "${name}"`, {
    hint: 'declare the service in mesh.yaml',
  });
}

function takeFrom(rates: Map<ServiceName, RateLimit>, name: ServiceName, clock: Clock): void {
  const rate = rates.get(name) ?? new RateLimit({ clock, ...CERTIFICATE_RATE });
  rates.set(name, rate);
  if (rate.tryTake()) return;
  const { burst, perSecond } = CERTIFICATE_RATE;
  const most = `at most ${burst} certificates at once and ${perSecond} a second`;
  throw new MeshError('resource-limit', `expected ${most} for service "${name}"`);
}

/** As long as was asked for, but no longer than the mesh gives. */
function toTtlMs(validityS: number, longestMs: number): number {
  if (validityS === 0) return longestMs;
  if (validityS >= SHORTEST_S) return Math.min(validityS * SECOND_MS, longestMs);
  const least = `${SHORTEST_S} s, or 0 for the mesh's`;
  const message = `expected a validity_duration of at least ${least}, but got ${validityS}`;
  throw new MeshError('request-invalid', message);
}

/**
 * A renewed certificate is bound as the one before it was, and remembers what the first one was had
 * for.
 */
async function toHandingOut(
  dataDir: DataDir,
  certificate: LeafCertificate,
  { service, instance, addresses, credential }: Proof,
): Promise<HandingOut> {
  const before =
    credential.kind === 'certificate'
      ? await findHandedOut(dataDir, credential.serialHex)
      : undefined;
  const node = instance === undefined ? before?.node : toNodeId({ service, instance });
  const reach = addresses ?? before?.addresses;
  const origin = before?.origin ?? before?.credential;
  return {
    certificate,
    service,
    ...(node === undefined ? {} : { node }),
    ...(reach === undefined ? {} : { addresses: [...reach] }),
    credential: toStored(credential),
    ...(origin === undefined ? {} : { origin }),
  };
}

function toStored(credential: Credential): NonNullable<HandingOut['credential']> {
  switch (credential.kind) {
    case 'token':
      return { kind: 'token', id: credential.id };
    case 'certificate':
      return { kind: 'certificate', serialHex: credential.serialHex };
    case 'issuer-token':
      return { kind: 'issuer-token', issuer: credential.issuer };
  }
}
