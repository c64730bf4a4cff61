// What an Envoy asks for on demand: listeners whose routes lead to a cluster that is named by a
// header (ODCDS), whose virtual hosts come one by one (VHDS), and whose routes come by scope
// (SRDS).
import { type Codec, envoy } from '../../src/gen/api.js';
import { createResource, type Resource, TYPE_URLS } from '../../src/xds/index.js';

const core = envoy.config.core.v3;
const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;
const { Router } = envoy.extensions.filters.http.router.v3;
const { OnDemand } = envoy.extensions.filters.http.on_demand.v3;
const EXTENSIONS = 'type.googleapis.com/envoy.extensions.filters';
type Hcm = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
type ConfigSource = envoy.config.core.v3.ConfigSource;

export interface Place {
  readonly address: string;
  readonly port: number;
}

const ADS: ConfigSource = { ads: {}, resourceApiVersion: core.ApiVersion.V3 };
/** VHDS takes no ADS in every version: a delta stream of its own. */
const OWN_STREAM: ConfigSource = {
  resourceApiVersion: core.ApiVersion.V3,
  apiConfigSource: {
    apiType: core.ApiConfigSource.ApiType.DELTA_GRPC,
    transportApiVersion: core.ApiVersion.V3,
    grpcServices: [{ envoyGrpc: { clusterName: 'xds' } }],
  },
};

function toFilter<T>(name: string, codec: Codec<T>, message: T) {
  const type_url = `${EXTENSIONS}.${name}`;
  return { name, typedConfig: { type_url, value: codec.encode(message).finish() } };
}

const toResource = <T extends { name?: string | undefined }>(
  codec: Codec<T>,
  message: T,
): Resource => createResource({ name: message.name ?? '', value: codec.encode(message).finish() });

function toListener(name: string, { address, port }: Place, routes: Hcm): Resource {
  const onDemand = toFilter('http.on_demand.v3.OnDemand', OnDemand, {
    odcds: { source: ADS, timeout: { seconds: 5 } },
  });
  const manager = toFilter(
    'network.http_connection_manager.v3.HttpConnectionManager',
    HttpConnectionManager,
    {
      statPrefix: name,
      ...routes,
      httpFilters: [onDemand, toFilter('http.router.v3.Router', Router, {})],
    },
  );
  return toResource(envoy.config.listener.v3.Listener, {
    name,
    address: { socketAddress: { address, portValue: port } },
    filterChains: [{ filters: [manager] }],
  });
}

/** Where each listener is. */
export interface Places {
  readonly odcds: Place;
  readonly vhds: Place;
  readonly srds: Place;
}

export function toListeners({ odcds, vhds, srds }: Places): readonly Resource[] {
  const byRds = (routeConfigName: string): Hcm => ({ rds: { configSource: ADS, routeConfigName } });
  return [
    toListener('odcds', odcds, byRds('by-header')),
    toListener('vhds', vhds, byRds('hosts')),
    toListener('srds', srds, {
      scopedRoutes: {
        name: 'scopes',
        rdsConfigSource: ADS,
        scopedRds: { scopedRdsConfigSource: ADS },
        scopeKeyBuilder: {
          fragments: [{ headerValueExtractor: { name: 'x-scope', index: 0 } }],
        },
      },
    }),
  ];
}

const answerAll = (text: string) => ({
  match: { prefix: '/' },
  directResponse: { status: 200, body: { inlineString: text } },
});

export function toRoutes(): readonly Resource[] {
  const { RouteConfiguration } = envoy.config.route.v3;
  const route = (name: string, action: object): Resource =>
    toResource(RouteConfiguration, {
      name,
      virtualHosts: [{ name: 'all', domains: ['*'], routes: [action] }],
    });
  return [
    route('by-header', { match: { prefix: '/' }, route: { clusterHeader: 'x-cluster' } }),
    route('scoped', answerAll('scoped')),
    toResource(RouteConfiguration, { name: 'hosts', vhds: { configSource: OWN_STREAM } }),
  ];
}

/** `host` of the routes `hosts`: its resource has the name by which Envoy asks for it. */
export function toHost(host: string): Resource {
  return toResource(envoy.config.route.v3.VirtualHost, {
    name: `hosts/${host}`,
    domains: [host],
    routes: [answerAll(host)],
  });
}

export function toScope(name: string): Resource {
  return toResource(envoy.config.route.v3.ScopedRouteConfiguration, {
    name,
    routeConfigurationName: 'scoped',
    key: { fragments: [{ stringKey: name }] },
  });
}

export function toCluster(name: string, { address, port }: Place): Resource {
  const endpoint = { address: { socketAddress: { address, portValue: port } } };
  return toResource(envoy.config.cluster.v3.Cluster, {
    name,
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint }] }] },
  });
}

export function toBootstrap(delta: boolean, { admin, xds }: { admin: Place; xds: Place }): object {
  const at = ({ address, port }: Place) => ({ socket_address: { address, port_value: port } });
  const ads = { resource_api_version: 'V3', ads: {} };
  const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return {
    node: { id: delta ? 'delta' : 'sotw', cluster: 'test' },
    admin: { address: at(admin) },
    dynamic_resources: {
      ads_config: {
        api_type: delta ? 'DELTA_GRPC' : 'GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      clusters: [
        {
          name: 'xds',
          load_assignment: {
            cluster_name: 'xds',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: at(xds) } }] }],
          },
          typed_extension_protocol_options: {
            [options]: {
              '@type': `type.googleapis.com/${options}`,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
        },
      ],
    },
  };
}

export const { cluster, listener, route, scopedRoute, virtualHost } = TYPE_URLS;
