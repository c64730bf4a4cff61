// An Envoy whose configuration is its operator's own: one listener, one cluster of a service of the
// mesh, and its secrets from the server, over SDS.
import type { TestMesh } from '../harness/start-mesh.js';

interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface StaticEnvoyOptions {
  readonly mesh: TestMesh;
  readonly service: string;
  readonly instance?: string;
  readonly api: 'DELTA_GRPC' | 'GRPC';
  readonly admin: Endpoint;
  /** Plain HTTP, to the callee. */
  readonly listener: Endpoint;
  /** A sidecar's mesh port. */
  readonly callee: Endpoint & { readonly name: string; readonly port: number };
  /** The SNI of the callee's port. */
  readonly serverName: string;
  /** Of the trust anchors; default: the right one. */
  readonly anchors?: string;
}

interface Given {
  readonly node: object;
  readonly dynamic_resources: {
    readonly ads_config: { readonly grpc_services: readonly object[] };
  };
  readonly static_resources: { readonly clusters: readonly object[] };
}

const TYPE = 'type.googleapis.com/envoy.extensions';
const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** Its way to the server is that of a sidecar's bootstrap. */
export async function toStaticEnvoy(options: StaticEnvoyOptions): Promise<object> {
  const { mesh, service, instance, admin, listener, callee } = options;
  const named = instance === undefined ? {} : { instance };
  const given = (await mesh.bootstrap(service, named)) as Given;
  const sdsConfig = {
    resource_api_version: 'V3',
    api_config_source: {
      ...{ api_type: options.api, transport_api_version: 'V3' },
      grpc_services: given.dynamic_resources.ads_config.grpc_services,
    },
  };
  return {
    node: given.node,
    admin: { address: at(admin) },
    static_resources: {
      listeners: [
        { name: 'out', address: at(listener), filter_chains: [{ filters: [toHttp(callee)] }] },
      ],
      clusters: [
        {
          name: callee.name,
          load_assignment: {
            cluster_name: callee.name,
            endpoints: [{ lb_endpoints: [{ endpoint: { address: at(callee) } }] }],
          },
          typed_extension_protocol_options: {
            [HTTP_OPTIONS]: {
              '@type': `type.googleapis.com/${HTTP_OPTIONS}`,
              // A handshake for each request.
              common_http_protocol_options: { max_requests_per_connection: 1 },
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          transport_socket: toTls(options, sdsConfig),
        },
        ...given.static_resources.clusters,
      ],
    },
  };
}

function at({ address, port }: Endpoint): object {
  return { socket_address: { address, port_value: port } };
}

function toHttp({ name }: StaticEnvoyOptions['callee']): object {
  const route = { match: { prefix: '/' }, route: { cluster: name } };
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'out',
      http_filters: [
        {
          name: 'envoy.filters.http.router',
          typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` },
        },
      ],
      route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] },
    },
  };
}

function toTls(
  { callee, serverName, anchors = 'ROOTCA' }: StaticEnvoyOptions,
  sds: object,
): object {
  const spiffeId = `spiffe://test.example/ns/default/sa/${callee.name}`;
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${TYPE}.transport_sockets.tls.v3.UpstreamTlsContext`,
      sni: serverName,
      max_session_keys: 0,
      common_tls_context: {
        tls_params: {
          tls_minimum_protocol_version: 'TLSv1_3',
          tls_maximum_protocol_version: 'TLSv1_3',
        },
        tls_certificate_sds_secret_configs: [{ name: 'default', sds_config: sds }],
        combined_validation_context: {
          default_validation_context: {
            match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: spiffeId } }],
          },
          validation_context_sds_secret_config: { name: anchors, sds_config: sds },
        },
      },
    },
  };
}
