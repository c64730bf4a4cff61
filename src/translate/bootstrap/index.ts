// What a stock Envoy needs to become a sidecar: who it is, where the management server listens,
// which anchor to pin, and its token or client certificate. Everything else comes over ADS. A
// folder of its own, because it brings Envoy's whole bootstrap message along, which the server
// never needs.
import { isIP } from 'node:net';
import { envoy, type google } from '../../gen/bootstrap.js';
import { toNodeId } from '../../spiffe/index.js';
import { toAny } from './any.js';
import { toStatistics } from './statistics-sink.js';

type Bootstrap = envoy.config.bootstrap.v3.Bootstrap;
type Cluster = envoy.config.cluster.v3.Cluster;
type HeaderValue = envoy.config.core.v3.HeaderValue;
type HttpFilter = envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
type Any = google.protobuf.Any;

/** How the sidecar proves which service it is. */
export type TokenSource =
  /** In the bootstrap itself: visible in /config_dump, renewed only by a restart. */
  | { readonly kind: 'inline'; readonly token: string }
  /** An SDS file that names the token's file: renewed by replacing (mv) that file, never dumped. */
  | { readonly kind: 'file'; readonly sdsPath: string };

/** A client certificate: an SDS file that names key and certificate, renewed by replacing both. */
export interface CertificateSource {
  readonly sdsPath: string;
}

export interface BootstrapOptions {
  readonly service: string;
  readonly instance?: string;
  /** The node's address, where its sidecar listens; by default the address that the server sees. */
  readonly address?: string;
  /** It listens at all of its addresses; by default only at that one. */
  readonly listen?: 'any';
  /** Loopback prefix for outbound listeners; by default the server's. */
  readonly outbound?: string;
  readonly xds: { readonly host: string; readonly port: number };
  /** PEM; the xDS port's own anchor, which a rotation of the mesh's CA never touches. */
  readonly xdsAnchorPem: string;
  /** DNS SAN of the xDS port's certificate. */
  readonly xdsServerName: string;
  /** One of these two at least. */
  readonly token?: TokenSource;
  readonly certificate?: CertificateSource;
  readonly envoyAdminPort?: number;
  /** Whether it says how its application is, where a port has `health`. */
  readonly reportsHealth?: boolean;
  /** Whether it reports its statistics. Default: it does; an Envoy before 1.37 can't. */
  readonly reportsStatistics?: boolean;
}

/** The cluster of the management server, and the secrets that hold token and certificate. */
export const XDS_CLUSTER = 'countersign-xds';
export const TOKEN_SECRET = 'countersign-token';
export const CERTIFICATE_SECRET = 'countersign-certificate';
const V3 = envoy.config.core.v3.ApiVersion.V3;
const { ApiType } = envoy.config.core.v3.ApiConfigSource;

/**
 * What an Envoy whose configuration is its operator's own needs beside that, to take its secrets
 * from the server: who it is, and where the server is.
 */
export function toStaticPart(options: BootstrapOptions): Bootstrap {
  return { node: toNode(options), staticResources: { clusters: [toXdsCluster(options)] } };
}

export function toBootstrap(options: BootstrapOptions): Bootstrap {
  return {
    node: toNode(options),
    ...(options.envoyAdminPort === undefined
      ? {}
      : { admin: { address: toAddress('127.0.0.1', options.envoyAdminPort) } }),
    dynamicResources: {
      adsConfig: toApiConfig(ApiType.DELTA_GRPC, options),
      ldsConfig: { ads: {}, resourceApiVersion: V3 },
      cdsConfig: { ads: {}, resourceApiVersion: V3 },
    },
    // By which it reports what its checks find of its own application. Only where there are any:
    // Envoy asks a server that is away for this stream twice a second, without growing pauses.
    ...(options.reportsHealth === true ? { hdsConfig: toApiConfig(ApiType.GRPC, options) } : {}),
    ...(options.reportsStatistics === false ? {} : toStatistics(toReporter(options))),
    staticResources: { clusters: [toXdsCluster(options)] },
  };
}

function toReporter(options: BootstrapOptions): Parameters<typeof toStatistics>[0] {
  const { address, listen } = options;
  return { grpcService: toGrpcService(options), node: toId(options), address, listen };
}

function toApiConfig(
  apiType: envoy.config.core.v3.ApiConfigSource.ApiType,
  options: BootstrapOptions,
): envoy.config.core.v3.ApiConfigSource {
  return {
    apiType,
    transportApiVersion: V3,
    setNodeOnFirstMessageOnly: true,
    grpcServices: [toGrpcService(options)],
  };
}

function toGrpcService({ token }: BootstrapOptions): envoy.config.core.v3.GrpcService {
  return {
    envoyGrpc: { clusterName: XDS_CLUSTER },
    initialMetadata: token?.kind === 'inline' ? [toHeader(token.token)] : [],
  };
}

function toNode(options: BootstrapOptions): Bootstrap['node'] {
  const { service, address, listen, outbound } = options;
  const fields: { [name: string]: google.protobuf.Value } = {};
  if (address !== undefined) fields['address'] = { stringValue: address };
  if (listen !== undefined) fields['listen'] = { stringValue: listen };
  if (outbound !== undefined) fields['outbound'] = { stringValue: outbound };
  return {
    id: toId(options),
    cluster: service,
    metadata: { fields: { countersign: { structValue: { fields } } } },
  };
}

function toId({ service, instance }: BootstrapOptions): string {
  return instance === undefined ? service : toNodeId({ service, instance });
}

function toHeader(token: string): HeaderValue {
  return { key: 'authorization', value: `Bearer ${token}` };
}

function toXdsCluster(options: BootstrapOptions): Cluster {
  const { host, port } = options.xds;
  const discovery = envoy.config.cluster.v3.Cluster.DiscoveryType;
  return {
    name: XDS_CLUSTER,
    type: isIP(host) === 0 ? discovery.STRICT_DNS : discovery.STATIC,
    connectTimeout: { seconds: 5 },
    loadAssignment: {
      clusterName: XDS_CLUSTER,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: toAddress(host, port) } }] }],
    },
    typedExtensionProtocolOptions: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': toHttpOptions(options.token),
    },
    transportSocket: toXdsTls(options),
    upstreamConnectionOptions: {
      tcpKeepalive: { keepaliveTime: { value: 30 }, keepaliveInterval: { value: 5 } },
    },
  };
}

/** A server that is busy with a large mesh, or whose machine is, loses no sidecar by it. */
const ANSWER_TIMEOUT = { seconds: 20 };

function toHttpOptions(token: TokenSource | undefined): Any {
  return toAny(
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    envoy.extensions.upstreams.http.v3.HttpProtocolOptions.encode({
      explicitHttpConfig: {
        http2ProtocolOptions: {
          connectionKeepalive: { interval: { seconds: 30 }, timeout: ANSWER_TIMEOUT },
        },
      },
      httpFilters: token?.kind === 'file' ? toTokenFilters(token.sdsPath) : [],
    }),
  );
}

/** Puts the token into each request to the management server, as its file stands at that moment. */
function toTokenFilters(sdsPath: string): HttpFilter[] {
  const generic = envoy.extensions.http.injected_credentials.generic.v3.Generic;
  const injector = envoy.extensions.filters.http.credential_injector.v3.CredentialInjector;
  return [
    {
      name: 'envoy.filters.http.credential_injector',
      typedConfig: toAny(
        'envoy.extensions.filters.http.credential_injector.v3.CredentialInjector',
        injector.encode({
          overwrite: true,
          credential: {
            name: 'envoy.http.injected_credentials.generic',
            typedConfig: toAny(
              'envoy.extensions.http.injected_credentials.generic.v3.Generic',
              generic.encode({
                header: 'authorization',
                credential: {
                  name: TOKEN_SECRET,
                  sdsConfig: toFileConfig(sdsPath),
                },
              }),
            ),
          },
        }),
      ),
    },
    {
      name: 'envoy.filters.http.upstream_codec',
      typedConfig: toAny(
        'envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec',
        envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec.encode({}),
      ),
    },
  ];
}

function toXdsTls(options: BootstrapOptions): Cluster['transportSocket'] {
  const { xdsAnchorPem, xdsServerName, certificate } = options;
  const tls = envoy.extensions.transport_sockets.tls.v3;
  const version = tls.TlsParameters.TlsProtocol.TLSv1_3;
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: toAny(
      'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      tls.UpstreamTlsContext.encode({
        sni: xdsServerName,
        // A resumed session would outlive the certificate that it was made with (decision 034).
        maxSessionKeys: { value: 0 },
        commonTlsContext: {
          tlsParams: { tlsMinimumProtocolVersion: version, tlsMaximumProtocolVersion: version },
          tlsCertificateSdsSecretConfigs:
            certificate === undefined
              ? []
              : [{ name: CERTIFICATE_SECRET, sdsConfig: toFileConfig(certificate.sdsPath) }],
          validationContext: {
            trustedCa: { inlineString: xdsAnchorPem },
            matchTypedSubjectAltNames: [
              {
                sanType: tls.SubjectAltNameMatcher.SanType.DNS,
                matcher: { exact: xdsServerName },
              },
            ],
          },
        },
      }),
    ),
  };
}

function toFileConfig(path: string): envoy.config.core.v3.ConfigSource {
  return { pathConfigSource: { path }, resourceApiVersion: V3 };
}

function toAddress(address: string, port: number): envoy.config.core.v3.Address {
  return { socketAddress: { address, portValue: port } };
}
