// TLS contexts. Certificates and anchors are always references to secrets (SDS), so that a rotation
// touches no listener and no cluster; the bytes of those references never change. Minimum and
// maximum version are both always written: an upstream context with a minimum of 1.3 and no maximum
// fails every handshake (Envoy's client default is a maximum of 1.2; measured, DESIGN.md).

import { envoy } from '../gen/envoy.js';
import type { TlsSettings, TlsVersion } from '../policy/index.js';
import { trustDomainPrefix } from '../spiffe/index.js';
import { ADS_OR_WAIT, toAny } from './messages.js';
import { ANCHORS_SECRET, IDENTITY_SECRET } from './names.js';

const tls = envoy.extensions.transport_sockets.tls.v3;
type CommonTlsContext = envoy.extensions.transport_sockets.tls.v3.CommonTlsContext;
type SanMatcher = envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher;
type TransportSocket = envoy.config.core.v3.TransportSocket;

const SAN_TYPE = tls.SubjectAltNameMatcher.SanType;
const VERSIONS = {
  TLSv1_2: tls.TlsParameters.TlsProtocol.TLSv1_2,
  TLSv1_3: tls.TlsParameters.TlsProtocol.TLSv1_3,
} as const satisfies Record<TlsVersion, number>;

/** Peers whose URI SAN is exactly this SPIFFE ID. */
export function toExactSan(spiffeId: string): SanMatcher {
  return { sanType: SAN_TYPE.URI, matcher: { exact: spiffeId } };
}

/** Peers whose URI SAN is any identity of the trust domain. */
export function toTrustDomainSan(trustDomain: string): SanMatcher {
  return { sanType: SAN_TYPE.URI, matcher: { prefix: trustDomainPrefix(trustDomain) } };
}

function toCommonContext(
  settings: TlsSettings,
  peers: readonly SanMatcher[],
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
      defaultValidationContext: { matchTypedSubjectAltNames: peers },
      validationContextSdsSecretConfig: { name: ANCHORS_SECRET, sdsConfig: ADS_OR_WAIT },
    },
    alpnProtocols: alpn,
  };
}

export interface DownstreamTls {
  readonly settings: TlsSettings;
  /**
   * Whose certificate a client must have. Undefined: one that the mesh's anchors vouch for, or none
   * at all, which is then a caller without identity. (To Envoy a SAN matcher means that a
   * certificate is required, whatever `require_client_certificate` says: measured on 1.40.0. Rules
   * match SPIFFE IDs in any case.)
   */
  readonly clients: SanMatcher | undefined;
  readonly alpn: readonly string[];
}

/** The server's side of mesh TLS. */
export function toDownstreamTls({ settings, clients, alpn }: DownstreamTls): TransportSocket {
  const peers = clients === undefined ? [] : [clients];
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: toAny(
      'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
      tls.DownstreamTlsContext,
      {
        commonTlsContext: toCommonContext(settings, peers, alpn),
        requireClientCertificate: { value: clients !== undefined },
      },
    ),
  };
}

export interface UpstreamTls {
  readonly settings: TlsSettings;
  /** The identity that the server must prove (secure naming). */
  readonly server: SanMatcher;
  readonly serverName: string;
}

/** The caller's side of mesh TLS. */
export function toUpstreamTls({ settings, server, serverName }: UpstreamTls): TransportSocket {
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: toAny(
      'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      tls.UpstreamTlsContext,
      { commonTlsContext: toCommonContext(settings, [server], []), sni: serverName },
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
