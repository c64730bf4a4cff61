// The discovery services of the xDS API: the aggregated one (ADS), and one for each resource type
// that Envoy subscribes to on a stream of its own. REST-like Fetch methods aren't served: a call of
// one ends with UNIMPLEMENTED, as gRPC has it for a method that nobody implements.
// Names: the `service`s of envoy/service/*/v3/*.proto.
import { TYPE_URLS, type Variant } from '../xds/index.js';

/** A gRPC service whose methods are discovery streams. */
export interface DiscoveryService {
  /** Full name of the service, such as `envoy.service.listener.v3.ListenerDiscoveryService`. */
  readonly name: string;
  /** The one type of its streams; absent where a stream may carry any number of types. */
  readonly typeUrl?: string;
  /** Its bidirectional streaming methods, by protocol variant. */
  readonly methods: Readonly<Partial<Record<Variant, string>>>;
}

/** ADS. */
export const AGGREGATED_SERVICE: DiscoveryService = {
  name: 'envoy.service.discovery.v3.AggregatedDiscoveryService',
  methods: { sotw: 'StreamAggregatedResources', delta: 'DeltaAggregatedResources' },
};

const TYPE = 'type.googleapis.com/envoy';

function service(name: string, typeUrl: string, noun: string): DiscoveryService {
  return {
    name: `envoy.service.${name}DiscoveryService`,
    typeUrl,
    methods: { sotw: `Stream${noun}`, delta: `Delta${noun}` },
  };
}

/** A service that the API defines in delta only. */
function deltaService(name: string, typeUrl: string, noun: string): DiscoveryService {
  const both = service(name, typeUrl, noun);
  return { ...both, methods: { delta: `Delta${noun}` } };
}

/** Those of one type each: LDS, RDS, SRDS, VHDS, CDS, EDS, LEDS, SDS, RTDS and ECDS. */
export const TYPE_SERVICES: readonly DiscoveryService[] = [
  service('listener.v3.Listener', TYPE_URLS.listener, 'Listeners'),
  service('route.v3.Route', TYPE_URLS.route, 'Routes'),
  service(
    'route.v3.ScopedRoutes',
    `${TYPE}.config.route.v3.ScopedRouteConfiguration`,
    'ScopedRoutes',
  ),
  deltaService('route.v3.VirtualHost', `${TYPE}.config.route.v3.VirtualHost`, 'VirtualHosts'),
  service('cluster.v3.Cluster', TYPE_URLS.cluster, 'Clusters'),
  service('endpoint.v3.Endpoint', TYPE_URLS.endpoint, 'Endpoints'),
  deltaService(
    'endpoint.v3.LocalityEndpoint',
    `${TYPE}.config.endpoint.v3.LbEndpoint`,
    'LocalityEndpoints',
  ),
  service('secret.v3.Secret', TYPE_URLS.secret, 'Secrets'),
  service('runtime.v3.Runtime', `${TYPE}.service.runtime.v3.Runtime`, 'Runtime'),
  service('extension.v3.ExtensionConfig', TYPE_URLS.extension, 'ExtensionConfigs'),
];

/** All that this library serves. */
export const ALL_SERVICES: readonly DiscoveryService[] = [AGGREGATED_SERVICE, ...TYPE_SERVICES];
