// What the servers of the library's benchmark serve: resources of the size that Envoy's have, as
// bytes that nobody looks into. All proxies share clusters, endpoints and listeners; each has a
// secret of its own.

const ADS = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
export const METHODS = {
  sotw: `${ADS}/StreamAggregatedResources`,
  delta: `${ADS}/DeltaAggregatedResources`,
};
/** The name of the endpoints that all proxies share. */
export const SHARED = 'shared';
export const SIZES = {
  clusters: 10,
  clusterBytes: 1_024,
  listeners: 2,
  listenerBytes: 4_096,
  endpointsBytes: 10_240,
  ownBytes: 2_048,
};

/** Of the proxy and of its own resource; names are equally long, and so are messages. */
export const toOwnName = (index) => `proxy-${`${index}`.padStart(6, '0')}`;

/** Resources of `createResource`, first versions; `…Of` makes another version of one. */
export function toContents({ createResource }, proxies) {
  const create = (name, bytes, version) => {
    const value = Buffer.alloc(bytes);
    value.writeUInt32BE(version);
    return createResource({ name, value });
  };
  const list = (prefix, count, bytes) =>
    Array.from({ length: count }, (_, i) => create(`${prefix}-${i}`, bytes, i));
  const endpointsOf = (version) => create(SHARED, SIZES.endpointsBytes, version);
  const ownOf = (index, version) => create(toOwnName(index), SIZES.ownBytes, version);
  return {
    clusters: list('cluster', SIZES.clusters, SIZES.clusterBytes),
    listeners: list('listener', SIZES.listeners, SIZES.listenerBytes),
    endpoints: endpointsOf(1),
    own: Array.from({ length: proxies }, (_, index) => ownOf(index, 1)),
    endpointsOf,
    ownOf,
  };
}
