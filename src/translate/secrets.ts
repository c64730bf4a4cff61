// The secrets of a workload: its own certificate, the mesh's anchors, and for each tcp port the
// anchors once more with the identities that may connect. They are built only from a leaf and
// anchors that were validated: one secret that Envoy rejects marks all of them rejected and
// releases every warming listener without a certificate (measured, DESIGN.md). Private keys leave
// this server here and nowhere else.
import { envoy } from '../gen/envoy.js';
import {
  connectingIdentities,
  type IdentityName,
  type Mesh,
  type Service,
  toSpiffeIds,
} from '../policy/index.js';
import { createResource, type Resource, type Snapshot, TYPE_URLS } from '../xds/index.js';
import { toMeshForm, toServed } from './forms.js';
import { isHttp } from './listeners.js';
import {
  ANCHORS_SECRET,
  IDENTITY_SECRET,
  isCalleeCluster,
  isCallersSecret,
  toCallersSecretName,
} from './names.js';
import { toNamedSan } from './san.js';

const v3 = envoy.extensions.transport_sockets.tls.v3;
type Secret = envoy.extensions.transport_sockets.tls.v3.Secret;

export interface WorkloadSecrets {
  /** PKCS #8, PEM. */
  readonly keyPem: string;
  /** Leaf first, then intermediates, PEM. */
  readonly chainPem: string;
  /** Roots of this trust domain, PEM. */
  readonly anchorsPem: string;
  /** Revocation lists of every CA that signs leaves, PEM; absent: nothing is revoked. */
  readonly crlPem?: string | undefined;
}

export interface CallersInput {
  readonly mesh: Mesh;
  readonly service: Service;
  /** SPIFFE IDs that every server refuses. */
  readonly deniedIds: readonly string[];
}

/** Who may connect to a tcp port of the workload, decided at the handshake. */
export interface Callers {
  readonly secretName: string;
  /** Never empty: to Envoy that would be everybody. */
  readonly names: readonly IdentityName[];
}

/** By port, ascending. */
export function toCallers({ mesh, service, deniedIds }: CallersInput): readonly Callers[] {
  const { trustDomain } = mesh;
  const ports = service.ports.filter((port) => !isHttp(toMeshForm(port)));
  if (ports.length === 0) return [];
  const declaredIds = [...mesh.services.values()].flatMap(toSpiffeIds);
  return ports.map((declared) => {
    const port = toMeshForm(declared);
    const names =
      toServed(declared).tls === undefined
        ? []
        : connectingIdentities(port.access, { trustDomain, declaredIds, deniedIds });
    // No identity has an empty path.
    const nobody = { text: `spiffe://${trustDomain}/`, prefix: false };
    const secretName = toCallersSecretName(port);
    return { secretName, names: names.length === 0 ? [nobody] : names };
  });
}

export function toSecrets(
  { keyPem, chainPem, anchorsPem, crlPem }: WorkloadSecrets,
  callers: readonly Callers[],
): Resource[] {
  const validationContext = {
    trustedCa: { inlineBytes: Buffer.from(anchorsPem) },
    ...(crlPem === undefined ? {} : toCrl(crlPem)),
  };
  return [
    toResource({
      name: IDENTITY_SECRET,
      tlsCertificate: {
        certificateChain: { inlineBytes: Buffer.from(chainPem) },
        privateKey: { inlineBytes: Buffer.from(keyPem) },
      },
    }),
    toResource({ name: ANCHORS_SECRET, validationContext }),
    ...callers.map(({ secretName, names }) =>
      toResource({
        name: secretName,
        validationContext: {
          ...validationContext,
          matchTypedSubjectAltNames: names.map(toNamedSan),
        },
      }),
    ),
  ];
}

/**
 * Which secrets of a snapshot a sidecar asks for, once it has the rest: those that its clusters and
 * listeners refer to.
 * @param isCalled All listeners by which it is called are there.
 */
export function toAskedSecrets(
  snapshot: Snapshot,
  isCalled: boolean,
): (secretName: string) => boolean {
  const clusters = snapshot.get(TYPE_URLS.cluster)?.resources.keys() ?? [];
  const calls = [...clusters].some(isCalleeCluster);
  // Only http ports have routes, and only they take every identity of the mesh at the handshake.
  const hasHttp = (snapshot.get(TYPE_URLS.route)?.resources.size ?? 0) > 0;
  return (secretName) => {
    if (isCallersSecret(secretName)) return isCalled;
    return calls || (isCalled && (hasHttp || secretName !== ANCHORS_SECRET));
  };
}

/**
 * Only of leaves: else a list of the root, for its intermediates, would be needed too, signed by a
 * key that may be kept elsewhere.
 */
function toCrl(crlPem: string) {
  return { crl: { inlineBytes: Buffer.from(crlPem) }, onlyVerifyLeafCertCrl: true };
}

function toResource(secret: Secret): Resource {
  return createResource({ name: secret.name ?? '', value: v3.Secret.encode(secret).finish() });
}
