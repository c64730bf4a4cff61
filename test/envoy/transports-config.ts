// A small configuration with one of each: a listener with TLS by SDS, routes by RDS, a cluster by
// CDS, its endpoints by EDS; and the bootstrap of an Envoy that fetches it by one of the four
// transports.
import { type Encoder, envoy } from '../../src/gen/envoy.js';
import { createResource, createSnapshot, type Snapshot, TYPE_URLS } from '../../src/xds/index.js';
import type { KeyAndCertificate } from '../grpc/certificate.js';

export interface Transport {
  readonly name: string;
  readonly aggregated: boolean;
  readonly delta: boolean;
}

export const TRANSPORTS: readonly Transport[] = [
  { name: 'ADS, SotW', aggregated: true, delta: false },
  { name: 'ADS, delta', aggregated: true, delta: true },
  { name: 'a service a type, SotW', aggregated: false, delta: false },
  { name: 'a service a type, delta', aggregated: false, delta: true },
];

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface Content {
  readonly transport: Transport;
  readonly front: Endpoint;
  readonly app: Endpoint;
  readonly certificate: KeyAndCertificate;
  /** In each answer as `x-routes`; none makes a RouteConfiguration that Envoy rejects. */
  readonly routes: string | undefined;
}

const core = envoy.config.core.v3;
type ConfigSource = envoy.config.core.v3.ConfigSource;

function toSource({ aggregated, delta }: Transport): ConfigSource {
  const common = { resourceApiVersion: core.ApiVersion.V3, initialFetchTimeout: { seconds: 0 } };
  if (aggregated) return { ...common, ads: {} };
  const { GRPC, DELTA_GRPC } = core.ApiConfigSource.ApiType;
  return {
    ...common,
    apiConfigSource: {
      apiType: delta ? DELTA_GRPC : GRPC,
      transportApiVersion: core.ApiVersion.V3,
      grpcServices: [{ envoyGrpc: { clusterName: 'xds' } }],
      setNodeOnFirstMessageOnly: true,
    },
  };
}

function toAny<T>(
  typeName: string,
  encoder: Encoder<T>,
  message: T,
): { type_url: string; value: Uint8Array } {
  return { type_url: `type.googleapis.com/${typeName}`, value: encoder.encode(message).finish() };
}

const toAddress = ({ address, port }: Endpoint): envoy.config.core.v3.Address => ({
  socketAddress: { address, portValue: port },
});

function toListener({ transport, front }: Content): envoy.config.listener.v3.Listener {
  const http = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
  const tls = envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext;
  const { Router } = envoy.extensions.filters.http.router.v3;
  const source = toSource(transport);
  const manager = toAny(
    'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    http,
    {
      statPrefix: 'front',
      rds: { configSource: source, routeConfigName: 'routes' },
      httpFilters: [
        {
          name: 'router',
          typedConfig: toAny('envoy.extensions.filters.http.router.v3.Router', Router, {}),
        },
      ],
    },
  );
  const context = toAny('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', tls, {
    commonTlsContext: {
      tlsCertificateSdsSecretConfigs: [{ name: 'certificate', sdsConfig: source }],
    },
  });
  return {
    name: 'front',
    address: toAddress(front),
    enableReusePort: { value: false },
    filterChains: [
      {
        filters: [{ name: 'http', typedConfig: manager }],
        transportSocket: { name: 'envoy.transport_sockets.tls', typedConfig: context },
      },
    ],
  };
}

function toRoutes({ routes }: Content): envoy.config.route.v3.RouteConfiguration {
  return {
    name: 'routes',
    responseHeadersToAdd: [{ header: { key: 'x-routes', value: routes ?? 'bad' } }],
    virtualHosts: [
      {
        name: 'all',
        // Without a domain Envoy rejects it.
        domains: routes === undefined ? [] : ['*'],
        routes: [{ match: { prefix: '/' }, route: { cluster: 'app' } }],
      },
    ],
  };
}

export function toSnapshot(content: Content): Snapshot {
  const { transport, app, certificate } = content;
  const one = <T>(name: string, encoder: Encoder<T>, message: T) => [
    createResource({ name, value: encoder.encode(message).finish() }),
  ];
  const { Cluster } = envoy.config.cluster.v3;
  return createSnapshot([
    [TYPE_URLS.listener, one('front', envoy.config.listener.v3.Listener, toListener(content))],
    [TYPE_URLS.route, one('routes', envoy.config.route.v3.RouteConfiguration, toRoutes(content))],
    [
      TYPE_URLS.cluster,
      one('app', Cluster, {
        name: 'app',
        type: Cluster.DiscoveryType.EDS,
        edsClusterConfig: { edsConfig: toSource(transport) },
      }),
    ],
    [
      TYPE_URLS.endpoint,
      one('app', envoy.config.endpoint.v3.ClusterLoadAssignment, {
        clusterName: 'app',
        endpoints: [{ lbEndpoints: [{ endpoint: { address: toAddress(app) } }] }],
      }),
    ],
    [
      TYPE_URLS.secret,
      one('certificate', envoy.extensions.transport_sockets.tls.v3.Secret, {
        name: 'certificate',
        tlsCertificate: {
          certificateChain: { inlineBytes: Buffer.from(certificate.certificatePem) },
          privateKey: { inlineBytes: Buffer.from(certificate.keyPem) },
        },
      }),
    ],
  ]);
}

export interface BootstrapOptions {
  readonly transport: Transport;
  readonly admin: Endpoint;
  readonly xds: Endpoint;
  /** PEM of the certificate that the server must present. */
  readonly anchorPem: string;
}

export function toBootstrap({ transport, admin, xds, anchorPem }: BootstrapOptions): object {
  const at = ({ address, port }: Endpoint) => ({ socket_address: { address, port_value: port } });
  const api = {
    api_type: transport.delta ? 'DELTA_GRPC' : 'GRPC',
    transport_api_version: 'V3',
    grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
    set_node_on_first_message_only: true,
  };
  const source = {
    resource_api_version: 'V3',
    ...(transport.aggregated ? { ads: {} } : { api_config_source: api }),
  };
  return {
    node: { id: 'envoy-1', cluster: 'test' },
    admin: { address: at(admin) },
    dynamic_resources: {
      ...(transport.aggregated ? { ads_config: api } : {}),
      lds_config: source,
      cds_config: source,
    },
    static_resources: { clusters: [toXdsCluster(at(xds), anchorPem)] },
  };
}

function toXdsCluster(address: object, anchorPem: string): object {
  const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return {
    name: 'xds',
    load_assignment: {
      cluster_name: 'xds',
      endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
    },
    typed_extension_protocol_options: {
      [options]: {
        '@type': `type.googleapis.com/${options}`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    transport_socket: {
      name: 'envoy.transport_sockets.tls',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
        common_tls_context: {
          validation_context: {
            trusted_ca: { inline_string: anchorPem },
            match_typed_subject_alt_names: [
              { san_type: 'IP_ADDRESS', matcher: { exact: '127.0.0.1' } },
            ],
          },
        },
      },
    },
  };
}
