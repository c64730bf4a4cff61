// All that one sidecar is sent, from the resolved mesh: a pure function, stable in order, so that
// equal input gives equal bytes on every server. A workload gets only what it may use: clusters,
// endpoints and listeners of the services that the access rules let it call. What doesn't depend on
// the node (all but its listeners and secrets) is shared by every node of the service.
import type { Mesh, Port, Service, ServiceName } from '../policy/index.js';
import { createResourceSet, type Resource, type ResourceSet, TYPE_URLS } from '../xds/index.js';
import { toLocalCluster } from './application.js';
import { type Callee, type Registry, type SidecarEndpoint, toKnown } from './callees.js';
import { toPassingClusters } from './capture-clusters.js';
import { hasDnsEndpoint, toCalleeCluster } from './clusters.js';
import { toEndpointResource } from './endpoints.js';
import { toServingForms } from './forms.js';
import { toInboundListeners } from './inbound.js';
import type { Listen } from './listen.js';
import { isHttp } from './listeners.js';
import { toCalledNames, toClusterName, toLocalClusterName } from './names.js';
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
  const callees = toKnown(mesh, service, revoked).map(({ callee, port }) => ({
    callee,
    port,
    sidecars: registry.get(callee.name) ?? NO_SIDECARS,
  }));
  const sets: [string, Resource[]][] = [
    [
      TYPE_URLS.cluster,
      [
        ...toApplicationForms(service).map((form) => toLocalCluster(service, form)),
        ...callees
          .flatMap((callee) => toNamed(callee, mesh))
          .map((callee) => toCluster(callee, service)),
        ...toPassingClusters(service),
      ],
    ],
    [
      TYPE_URLS.endpoint,
      callees
        .filter(({ callee }) => !hasDnsEndpoint(callee))
        .flatMap((callee) => toNamed(callee, mesh))
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

/**
 * By each name that the callee has or had: connections that an application holds open to a listener
 * of an earlier name are served on until they end.
 */
function toNamed(of: Callee, { services }: Mesh): readonly Callee[] {
  const { callee } = of;
  const { formerly, moving, leaving } = callee;
  const isOne = formerly === undefined && moving?.alsoCalled === undefined;
  if (isOne || leaving !== undefined) return [of];
  const byName = renamed.get(callee) ?? new Map<ServiceName, Service>();
  renamed.set(callee, byName);
  // Of sidecars that leave by such a name there is one already.
  const names = toCalledNames(callee).filter((name) => (services.get(name) ?? callee) === callee);
  return names.map((name) => {
    if (name === callee.name) return of;
    const known = byName.get(name) ?? { ...callee, name };
    byName.set(name, known);
    return { ...of, callee: known };
  });
}

/** The same object each time. */
const renamed = new WeakMap<Service, Map<ServiceName, Service>>();

/** Of one of its callers, which may have to connect anew. */
function toCluster(callee: Callee, { moving }: Service): Resource {
  return moving?.connects === undefined
    ? toCalleeResources(callee).cluster
    : toCalleeCluster(callee, moving.connects);
}

interface CalleeResources extends Callee {
  readonly cluster: Resource;
  readonly endpoints: Resource;
}

/** Of each port and name, its latest: all of its callers get the same. */
const known = new WeakMap<Port, Map<ServiceName, CalleeResources>>();

function toCalleeResources(of: Callee): CalleeResources {
  const ofPort = known.get(of.port) ?? new Map<ServiceName, CalleeResources>();
  known.set(of.port, ofPort);
  const old = ofPort.get(of.callee.name);
  const same = old?.callee === of.callee;
  if (same && old.sidecars === of.sidecars) return old;
  const cluster = same && !hasDnsEndpoint(of.callee) ? old.cluster : toCalleeCluster(of);
  const resources = { ...of, cluster, endpoints: toEndpointResource(of) };
  ofPort.set(of.callee.name, resources);
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
  readonly outboundAddress: (callee: Service) => string | undefined;
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
  if (service.leaving === 'draining') return { listeners: createResourceSet([]), clashes: [] };
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
