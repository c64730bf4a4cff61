// All that one sidecar is sent, from the resolved mesh: a pure function, stable in order, so that
// equal input gives equal bytes on every server. A workload gets only what it may use: clusters,
// endpoints and listeners of the services that the access rules let it call. What doesn't depend on
// the node (all but its listeners and secrets) is shared by every node of the service.
import type { Mesh, Port, Service, ServiceName } from '../policy/index.js';
import { createResourceSet, type Resource, type ResourceSet, TYPE_URLS } from '../xds/index.js';
import { toLocalCluster } from './application.js';
import { type Callee, type Registry, type SidecarEndpoint, toCallees } from './callees.js';
import { toPassingClusters } from './capture-clusters.js';
import { hasDnsEndpoint, toCalleeCluster } from './clusters.js';
import { toEndpointResource } from './endpoints.js';
import { toServingForms } from './forms.js';
import { toInboundListeners } from './inbound.js';
import type { Listen } from './listen.js';
import { isHttp } from './listeners.js';
import { toClusterName, toLocalClusterName } from './names.js';
import { toOutboundListener } from './outbound.js';
import { type Clash, placeCallees } from './placing.js';
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
        ...toApplicationForms(service).map((form) => toLocalCluster(service, form)),
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
        .filter((port) => toServingForms(port).some(isHttp))
        .map((port) => toInboundRoutes(service, port, { ...context, http: true })),
    ],
    [
      TYPE_URLS.extension,
      service.ports
        .filter((port) => !toServingForms(port).every(isHttp))
        .flatMap((port) => toTcpRules(port, { ...context, http: false })),
    ],
  ];
  return new Map(sets.map(([typeUrl, resources]) => [typeUrl, createResourceSet(resources)]));
}

/** One for each application; HTTP's, where forms of both families have it: bytes go by that too. */
function toApplicationForms({ ports }: Service): readonly Port[] {
  const forms = ports.flatMap(toServingForms);
  const byName = new Map<string, Port>();
  for (const form of forms) {
    const name = toLocalClusterName(form);
    const known = byName.get(name);
    if (known === undefined || !isHttp(known)) byName.set(name, form);
  }
  return [...byName.values()];
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
  /** Default: at that address. */
  readonly listen?: Listen;
  /** The loopback address that stands for a service at this sidecar; undefined: there is none. */
  readonly outboundAddress: (callee: ServiceName) => string | undefined;
  /** `toCapturedOutbound` of the service, where it has outbound transparent. */
  readonly capturedOutbound?: Resource | undefined;
  /** Default: nothing. */
  readonly revoked?: Revoked;
  /** It is to take no new connections. Default: it is called. */
  readonly isClosed?: boolean;
}

export interface NodeListeners {
  readonly listeners: ResourceSet;
  /** Callees without a listener. */
  readonly clashes: readonly Clash[];
}

export function translateNode(input: NodeInput): NodeListeners {
  const { mesh, service, address, listen = 'address', revoked = NOTHING_REVOKED } = input;
  const inbound = { trustDomain: mesh.trustDomain, service, address, listen, revoked };
  const { outbound, clashes } = toOutbound(input, revoked);
  const listeners = createResourceSet([
    ...(input.isClosed === true ? [] : toInboundListeners(inbound)),
    ...outbound,
  ]);
  return { listeners, clashes };
}

interface OutboundListeners extends Pick<NodeListeners, 'clashes'> {
  readonly outbound: readonly Resource[];
}

function toOutbound(input: NodeInput, revoked: Revoked): OutboundListeners {
  const { mesh, service, address, listen = 'address', outboundAddress, capturedOutbound } = input;
  if (service.capture.outbound === 'transparent') {
    return { outbound: capturedOutbound === undefined ? [] : [capturedOutbound], clashes: [] };
  }
  const { placed, clashes } = placeCallees({
    ...{ mesh, service, address, listen, outboundAddress, revoked },
  });
  const outbound = placed.map((one) => {
    const mark = revoked.outboundMarks.get(toClusterName(one.callee, one.port));
    return toOutboundListener({ ...one, listen, mark });
  });
  return { outbound, clashes };
}
