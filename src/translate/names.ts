// Every name that this server gives to an Envoy resource, in one place: a proxy's log, stats and
// config_dump show them, and a rename would be a new resource (a drain). Names say the user's own
// words.
import {
  type Port,
  type Service,
  type ServiceName,
  splitServiceName,
  toNames,
} from '../policy/index.js';
import { TYPE_URLS } from '../xds/index.js';

/** The types that a sidecar is sent, by the short names of their services, as users read them. */
export const DISCOVERY_TYPES = {
  lds: TYPE_URLS.listener,
  cds: TYPE_URLS.cluster,
  eds: TYPE_URLS.endpoint,
  rds: TYPE_URLS.route,
  ecds: TYPE_URLS.extension,
  sds: TYPE_URLS.secret,
} as const;

/** The workload's own X.509-SVID, by the name that Istio and SPIRE use for it over SDS. */
export const IDENTITY_SECRET = 'default';
/** The mesh's trust anchors, by the name that Istio and SPIRE use for them over SDS. */
export const ANCHORS_SECRET = 'ROOTCA';

const CALLERS = 'callers:';

/**
 * The same anchors with the identities that a tcp port takes at the handshake: `callers:6000`. With
 * the application, as its cluster.
 */
export function toCallersSecretName(port: Port): string {
  return `${CALLERS}${port.number}${toTargetSuffix(port)}`;
}

export function isCallersSecret(name: string): boolean {
  return name.startsWith(CALLERS);
}

/** Where a call goes: `payments/ledger:8080`. Names the cluster, its EDS and its statistics. */
export function toClusterName(service: Service, port: Port): string {
  return `${service.name}:${port.number}`;
}

const LOCAL = 'local:';

/**
 * The application behind a declared port of this workload: `local:8080`,
 * `local:8080:127.0.0.1:9080`. An application elsewhere is another cluster, so that it changes
 * together with the rules that stand where the cluster is named.
 */
export function toLocalClusterName(port: Port): string {
  return `${LOCAL}${port.number}${toTargetSuffix(port)}`;
}

/** Whether it is one of `toLocalClusterName`. */
export function isApplicationCluster(name: string): boolean {
  return name.startsWith(LOCAL);
}

/** Nothing where the application listens at the port's own number. */
function toTargetSuffix({ number, target }: Port): string {
  const isOwn = target.address === '127.0.0.1' && target.port === number;
  const host = target.address.includes(':') ? `[${target.address}]` : target.address;
  return isOwn ? '' : `:${host}:${target.port}`;
}

/** Where captured connections go that are no service's: to where they were going. */
export const PASSED_INBOUND = 'passed:inbound';
export const PASSED_OUTBOUND = 'passed:outbound';

/** Of a service's port, called by mTLS. */
export function isCalleeCluster(name: string): boolean {
  return !isApplicationCluster(name) && name !== PASSED_INBOUND && name !== PASSED_OUTBOUND;
}

/** The server name that chooses a chain of the mesh port: `8080.ledger.payments.mesh`. */
export function toServerName(service: Service, port: Port): string {
  return toServerNameOf(service.name, port);
}

function toServerNameOf(name: ServiceName, port: Port): string {
  const { namespace, shortName } = splitServiceName(name);
  return `${port.number}.${shortName}.${namespace}.mesh`;
}

/** All that choose it, earlier names among them. */
export function toServerNames(service: Service, port: Port): string[] {
  return toCalledNames(service).map((name) => toServerNameOf(name, port));
}

/** All names by which somebody may call it, its own first. */
export function toCalledNames(service: Service): readonly ServiceName[] {
  return [...toNames(service), ...(service.moving?.alsoCalled ?? [])];
}

/** The one that callers' sidecars ask for. */
export function toCalledName(service: Service, port: Port): string {
  return toServerNameOf(service.moving?.calledAs ?? service.name, port);
}

export const MESH_LISTENER = 'mesh';
const INBOUND = 'inbound:';

/** The listener of a declared port, and its RouteConfiguration: `inbound:8080`. */
export function toInboundName(port: Port): string {
  return `${INBOUND}${port.number}`;
}

/** The listeners to which the kernel hands what it captured. */
export const CAPTURED_INBOUND = `${INBOUND}captured`;
export const CAPTURED_OUTBOUND = 'outbound:captured';

/**
 * The listener of a declared port that has no socket of its own: `inbound:captured:8080`. It is
 * another one than that which binds the port, since Envoy refuses a change of that.
 */
export function toCapturedName(port: Port): string {
  return `${CAPTURED_INBOUND}:${port.number}`;
}

export function isCaptureListener(name: string): boolean {
  return name === CAPTURED_INBOUND || name === CAPTURED_OUTBOUND;
}

/** One by which a workload is called. */
export function isInboundListener(name: string): boolean {
  return name === MESH_LISTENER || name.startsWith(INBOUND);
}

/** One that serves declared ports, with the routes and secrets that these need. */
export function isServingListener(name: string): boolean {
  return isInboundListener(name) && name !== CAPTURED_INBOUND;
}

/** The listener by which a workload calls a service: `outbound:payments/ledger:8080`. */
export function toOutboundName(service: Service, port: Port): string {
  return `outbound:${toClusterName(service, port)}`;
}

export const DENY_FILTER = 'countersign.deny';
export const ALLOW_FILTER = 'countersign.allow';

/**
 * The extension configuration (ECDS) of one of a TCP port's two RBAC filters, on chains with TLS or
 * on that without: `countersign.allow:6000`, `countersign.allow:plain:6000`. With the application,
 * as its cluster.
 */
export function toTcpFilterName(
  port: Port,
  filter: typeof DENY_FILTER | typeof ALLOW_FILTER,
  way: 'tls' | 'plain',
): string {
  const chain = way === 'tls' ? '' : 'plain:';
  return `${filter}:${chain}${port.number}${toTargetSuffix(port)}`;
}

/** The endpoint metadata that marks an address to be called in plain text. */
export const PLAIN_MATCH = { key: 'countersign', value: 'plain' } as const;
