// The two secrets of a workload. They are built only from a leaf and anchors that were validated:
// one secret that Envoy rejects marks all of them rejected and releases every warming listener
// without a certificate (measured, DESIGN.md). Private keys leave this server here and nowhere
// else.
import { envoy } from '../gen/envoy.js';
import { createResource, type Resource } from '../xds/index.js';
import { ANCHORS_SECRET, IDENTITY_SECRET } from './names.js';

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

export function toSecrets({ keyPem, chainPem, anchorsPem, crlPem }: WorkloadSecrets): Resource[] {
  return [
    toResource({
      name: IDENTITY_SECRET,
      tlsCertificate: {
        certificateChain: { inlineBytes: Buffer.from(chainPem) },
        privateKey: { inlineBytes: Buffer.from(keyPem) },
      },
    }),
    toResource({
      name: ANCHORS_SECRET,
      validationContext: {
        trustedCa: { inlineBytes: Buffer.from(anchorsPem) },
        ...(crlPem === undefined ? {} : toCrl(crlPem)),
      },
    }),
  ];
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
