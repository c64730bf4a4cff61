import assert from 'node:assert';
import type { Json } from '../../src/cli/proto-json.js';
import { at, type JsonObject, objectsIn, type Translated } from './translated.js';

// A golden as a static bootstrap, for `envoy --mode validate`: what comes over ADS as it is, and
// once more with everything that ADS would fetch put in its place, so that Envoy reads all of it.

/** Nothing is bound in this mode, but no two listeners may have one address. */
const FIRST_INLINE_PORT = 20_000;

const XDS: JsonObject = {
  name: 'xds',
  type: 'STATIC',
  connect_timeout: '1s',
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
  load_assignment: {
    cluster_name: 'xds',
    endpoints: [
      {
        lb_endpoints: [
          { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 1 } } } },
        ],
      },
    ],
  },
};

/**
 * Envoy 1.40.0 in validate mode ends by SIGSEGV on `sds_config: { ads: {} }`: there by name
 * instead.
 */
const SDS: JsonObject = {
  resource_api_version: 'V3',
  initial_fetch_timeout: '0s',
  api_config_source: {
    api_type: 'GRPC',
    transport_api_version: 'V3',
    grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
  },
};

export function toGoldenBootstrap(golden: Partial<Translated>): object {
  const copy = structuredClone(golden);
  for (const object of objectsIn(Object.values(copy).flat())) {
    if (object['sds_config'] !== undefined) object['sds_config'] = SDS;
  }
  return toBootstrap(copy);
}

function toBootstrap(golden: Partial<Translated>): object {
  const { listeners = [], clusters = [] } = golden;
  return {
    node: { id: 'golden', cluster: 'golden' },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 1 } } },
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
      },
    },
    static_resources: {
      clusters: [XDS, ...clusters, ...clusters.flatMap((one) => toInline(one, golden))],
      listeners: [
        ...listeners,
        ...listeners.map((one, index) => withInline(one, { golden, index })),
      ],
    },
  };
}

/** An EDS cluster once more, with its endpoints in it. */
function toInline(cluster: JsonObject, { endpoints = [] }: Partial<Translated>): JsonObject[] {
  if (cluster['type'] !== 'EDS') return [];
  const { eds_cluster_config: _, ...rest } = cluster;
  const assignment = endpoints.find((one) => one['cluster_name'] === cluster['name']);
  assert(assignment !== undefined, `no endpoints for ${cluster['name']}`);
  const name = `inline ${cluster['name']}`;
  return [
    { ...rest, name, type: 'STATIC', load_assignment: { ...assignment, cluster_name: name } },
  ];
}

/** A listener once more, with its routes and extension configurations in it. */
function withInline(
  listener: JsonObject,
  { golden, index }: { golden: Partial<Translated>; index: number },
): JsonObject {
  const copy = structuredClone(listener);
  for (const object of objectsIn(copy)) {
    if (object['rds'] !== undefined) {
      object['route_config'] = find(golden.routes, at(object, 'rds', 'route_config_name'));
      delete object['rds'];
    }
    if (object['config_discovery'] !== undefined) {
      const extension = find(golden.extensions, object['name']);
      object['typed_config'] = extension['typed_config'] ?? null;
      delete object['config_discovery'];
    }
  }
  return {
    ...copy,
    name: `inline ${listener['name']}`,
    address: { socket_address: { address: '127.0.0.1', port_value: FIRST_INLINE_PORT + index } },
  };
}

function find(list: readonly JsonObject[] = [], name: Json | undefined): JsonObject {
  const found = list.find((one) => one['name'] === name);
  assert(found !== undefined, `nothing named ${JSON.stringify(name)} is sent`);
  return structuredClone(found);
}
