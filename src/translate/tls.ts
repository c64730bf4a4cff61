// TLS contexts. Certificates and anchors are always references to secrets (SDS), so that a rotation
// touches no listener and no cluster; the bytes of those references never change. Minimum and
// maximum version are both always written: an upstream context with a minimum of 1.3 and no maximum
// fails every handshake (Envoy's client default is a maximum of 1.2; measured, DESIGN.md).
// Whom a tcp port takes stands in the secret of its anchors, so that its rules decide at the
// handshake and a change of them drains nothing (decision 022). No session is resumed: a resumed
// one asks for no certificate, so that it would outlive the one that it was made with (decision
// 034).
import { envoy } from '../gen/envoy.js';
import type { TlsSettings, TlsVersion } from '../policy/index.js';
import { ADS_OR_WAIT, toAny } from './messages.js';
import { ANCHORS_SECRET, IDENTITY_SECRET } from './names.js';
import { type SanMatcher, toTrustDomainSan } from './san.js';

const tls = envoy.extensions.transport_sockets.tls.v3;
type CommonTlsContext = envoy.extensions.transport_sockets.tls.v3.CommonTlsContext;
type TransportSocket = envoy.config.core.v3.TransportSocket;

const VERSIONS = {
  TLSv1_2: tls.TlsParameters.TlsProtocol.TLSv1_2,
  TLSv1_3: tls.TlsParameters.TlsProtocol.TLSv1_3,
} as const satisfies Record<TlsVersion, number>;

/** Peers whose certificate the anchors vouch for, with one of these names. */
interface Peers {
  /** Empty: any name, or those in the secret. To Envoy a matcher here and one there are either. */
  readonly sans: readonly SanMatcher[];
  /** Of the anchors. */
  readonly secretName: string;
}

function toCommonContext(
  settings: TlsSettings,
  { sans, secretName }: Peers,
  alpn: readonly string[],
): CommonTlsContext {
  return {
    tlsParams: {
      tlsMinimumProtocolVersion: VERSIONS[settings.minVersion],
      tlsMaximumProtocolVersion: VERSIONS[settings.maxVersion],
      cipherSuites: settings.cipherSuites,
      ecdhCurves: settings.curves,
    },
    tlsCertificateSdsSecretConfigs: [{ name: IDENTITY_SECRET, sdsConfig: ADS_OR_WAIT }],
    combinedValidationContext: {
      defaultValidationContext: { matchTypedSubjectAltNames: sans },
      validationContextSdsSecretConfig: { name: secretName, sdsConfig: ADS_OR_WAIT },
    },
    alpnProtocols: alpn,
  };
}

/** Whose certificate a client must have. */
export type Clients =
  /** Any identity of the trust domain. */
  | { readonly kind: 'mesh'; readonly trustDomain: string }
  /** The identities that this secret names (`toCallersSecretName`). */
  | { readonly kind: 'secret'; readonly name: string }
  /**
   * One that the mesh's anchors vouch for, or none at all, which is then a caller without identity.
   * (To Envoy a SAN matcher means that a certificate is required, whatever
   * `require_client_certificate` says: measured on 1.40.0. Rules match SPIFFE IDs in any case.)
   */
  | { readonly kind: 'optional' };

export interface DownstreamTls {
  readonly settings: TlsSettings;
  readonly clients: Clients;
  readonly alpn: readonly string[];
}

function toPeers(clients: Clients): Peers {
  switch (clients.kind) {
    case 'mesh':
      return { sans: [toTrustDomainSan(clients.trustDomain)], secretName: ANCHORS_SECRET };
    case 'secret':
      return { sans: [], secretName: clients.name };
    case 'optional':
      return { sans: [], secretName: ANCHORS_SECRET };
  }
}

/** The server's side of mesh TLS. */
export function toDownstreamTls({ settings, clients, alpn }: DownstreamTls): TransportSocket {
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: toAny(
      'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
      tls.DownstreamTlsContext,
      {
        commonTlsContext: toCommonContext(settings, toPeers(clients), alpn),
        requireClientCertificate: { value: clients.kind !== 'optional' },
        // TLS 1.3 and tickets of 1.2, and session ids of 1.2.
        disableStatelessSessionResumption: true,
        disableStatefulSessionResumption: true,
      },
    ),
  };
}

/** Of servers that are no sidecars, such as one that holds a stolen key. */
const NO_SESSIONS = { value: 0 };

export interface UpstreamTls {
  readonly settings: TlsSettings;
  /** The identities of which the server must prove one (secure naming). */
  readonly servers: readonly SanMatcher[];
  readonly serverName: string;
}

/** The caller's side of mesh TLS. */
export function toUpstreamTls({ settings, servers, serverName }: UpstreamTls): TransportSocket {
  const peers: Peers = { sans: servers, secretName: ANCHORS_SECRET };
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: toAny(
      'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      tls.UpstreamTlsContext,
      {
        commonTlsContext: toCommonContext(settings, peers, []),
        sni: serverName,
        maxSessionKeys: NO_SESSIONS,
      },
    ),
  };
}

/** No TLS: only ever an explicit match, never a cluster's own transport socket. */
export const RAW_BUFFER: TransportSocket = {
  name: 'envoy.transport_sockets.raw_buffer',
  typedConfig: toAny(
    'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer',
    envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer,
    {},
  ),
};
