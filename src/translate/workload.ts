// All that one sidecar is sent, from the resolved mesh: a pure function, stable in order, so that
// equal input gives equal bytes on every server. A workload gets only what it may use: clusters,
// endpoints and listeners of the services that the access rules let it call. What doesn't depend on
// the node (all but its listeners and secrets) is shared by every node of the service.
import type { Mesh, Port, Service, ServiceName } from '../policy/index.js';
import { createResourceSet, type Resource, type ResourceSet, TYPE_URLS } from '../xds/index.js';
import { type Callee, type Registry, type SidecarEndpoint, toCallees } from './callees.js';
import { toPassingClusters } from './capture-clusters.js';
import { hasDnsEndpoint, toCalleeCluster, toLocalCluster } from './clusters.js';
import { toEndpointResource } from './endpoints.js';
import { toInboundListeners } from './inbound.js';
import { isHttp } from './listeners.js';
import { toClusterName } from './names.js';
import { toOutboundListener } from './outbound.js';
import { toInboundRoutes } from './rbac-http.js';
import { toTcpRules } from './rbac-tcp.js';
import { NOTHING_REVOKED, type Revoked } from './revoked.js';

export interface ServiceInput {
  readonly mesh: Mesh;
  readonly service: Service;
  readonly registry: Registry;
  /** Default: nothing. */
  readonly revoked?: Revoked;
}

/** What every node of a service gets: clusters, endpoints, routes, extension configurations. */
export function translateService({
  mesh,
  service,
  registry,
  revoked = NOTHING_REVOKED,
}: ServiceInput): ReadonlyMap<string, ResourceSet> {
  const context = { trustDomain: mesh.trustDomain, deniedIds: revoked.deniedIds };
  const callees = toCallees(mesh, service, revoked).map(({ callee, port }) => ({
    callee,
    port,
    sidecars: registry.get(callee.name) ?? NO_SIDECARS,
  }));
  const sets: [string, Resource[]][] = [
    [
      TYPE_URLS.cluster,
      [
        ...service.ports.map((port) => toLocalCluster(service, port)),
        ...callees.map((callee) => toCalleeResources(callee).cluster),
        ...toPassingClusters(service),
      ],
    ],
    [
      TYPE_URLS.endpoint,
      callees
        .filter(({ callee }) => !hasDnsEndpoint(callee))
        .map((callee) => toCalleeResources(callee).endpoints),
    ],
    [
      TYPE_URLS.route,
      service.ports
        .filter(isHttp)
        .map((port) => toInboundRoutes(service, port, { ...context, http: true })),
    ],
    [
      TYPE_URLS.extension,
      service.ports
        .filter((port) => !isHttp(port))
        .flatMap((port) => toTcpRules(port, { ...context, http: false })),
    ],
  ];
  return new Map(sets.map(([typeUrl, resources]) => [typeUrl, createResourceSet(resources)]));
}

const NO_SIDECARS: readonly SidecarEndpoint[] = [];

interface CalleeResources extends Callee {
  readonly cluster: Resource;
  readonly endpoints: Resource;
}

/** Of each port, its latest: all of its callers get the same. */
const known = new WeakMap<Port, CalleeResources>();

function toCalleeResources(of: Callee): CalleeResources {
  const old = known.get(of.port);
  const same = old?.callee === of.callee;
  if (same && old.sidecars === of.sidecars) return old;
  const cluster = same && !hasDnsEndpoint(of.callee) ? old.cluster : toCalleeCluster(of);
  const resources = { ...of, cluster, endpoints: toEndpointResource(of) };
  known.set(of.port, resources);
  return resources;
}

export interface NodeInput {
  readonly mesh: Mesh;
  readonly service: Service;
  /** The node's own address. */
  readonly address: string;
  /** The loopback address that stands for a service at this sidecar; undefined: there is none. */
  readonly outboundAddress: (callee: ServiceName) => string | undefined;
  /** `toCapturedOutbound` of the service, where it has outbound transparent. */
  readonly capturedOutbound?: Resource | undefined;
  /** Default: nothing. */
  readonly revoked?: Revoked;
  /** It is to take no new connections. Default: it is called. */
  readonly isClosed?: boolean;
}

/** A node's listeners. */
export function translateNode(input: NodeInput): ResourceSet {
  const { mesh, service, address, revoked = NOTHING_REVOKED } = input;
  const { trustDomain } = mesh;
  return createResourceSet([
    ...(input.isClosed === true
      ? []
      : toInboundListeners({ trustDomain, service, address, revoked })),
    ...toOutboundListeners(input),
  ]);
}

function toOutboundListeners(input: NodeInput): readonly Resource[] {
  const { mesh, service, outboundAddress, capturedOutbound, revoked = NOTHING_REVOKED } = input;
  if (service.capture.outbound === 'transparent') {
    return capturedOutbound === undefined ? [] : [capturedOutbound];
  }
  return toCallees(mesh, service, revoked).flatMap(({ callee, port }) => {
    const own = outboundAddress(callee.name);
    if (own === undefined) return [];
    const mark = revoked.outboundMarks.get(toClusterName(callee, port));
    return [toOutboundListener({ callee, port, address: own, mark })];
  });
}
