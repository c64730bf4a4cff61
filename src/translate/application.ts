// The sidecar's own application, behind a declared port: at an address that stands in mesh.yaml, or
// at all those that a DNS name has. Whoever answers for that name may change it at any time (a
// container that is started again has another address), so it is asked every second, whatever
// lifetime it gives its answers: Docker's says ten minutes.
import { SECOND_MS } from '../base/index.js';
import { envoy } from '../gen/envoy.js';
import type { Port, Service } from '../policy/index.js';
import type { Resource } from '../xds/index.js';
import {
  CIRCUIT_BREAKERS,
  HTTP1_IDLE_MS,
  toClusterResource,
  toHttpOptions,
} from './cluster-parts.js';
import { isHttp } from './listeners.js';
import { NO_LIMIT, toDuration, toTcpAddress } from './messages.js';
import { toLocalClusterName } from './names.js';
import { NEVER_EMPTY, TCP_KEEPALIVE, toApplicationChecks, toSourceAddress } from './peers.js';
import { hasNamedTarget } from './target.js';

const { DiscoveryType, DnsLookupFamily } = envoy.config.cluster.v3.Cluster;
type Cluster = envoy.config.cluster.v3.Cluster;

/** An application that is started may be slow to accept. */
const CONNECT_TIMEOUT = toDuration(5 * SECOND_MS);
/** There may be others, and an address that nobody has any more answers nothing. */
const NAMED_CONNECT_TIMEOUT = toDuration(2 * SECOND_MS);

export function toLocalCluster(service: Service, port: Port): Resource {
  const name = toLocalClusterName(port);
  const version = port.protocol === 'http' ? 'http1' : 'http2';
  const { address, port: number } = port.target;
  return toClusterResource(port, {
    name,
    circuitBreakers: CIRCUIT_BREAKERS,
    upstreamConnectionOptions: { tcpKeepalive: TCP_KEEPALIVE },
    ...toApplicationChecks(port, service.name),
    ...(hasNamedTarget(port) ? toNamed(port) : { ...ADDRESSED, ...toSourceAddress(port) }),
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: toTcpAddress(address, number) } }] }],
    },
    ...(isHttp(port) ? toHttpOptions(port, { version, idleMs: HTTP1_IDLE_MS }) : {}),
    // An HTTP/2 application that doesn't read one caller's upload stalls that caller's alone.
    ...(version === 'http2' && isHttp(port) ? { connectionPoolPerDownstreamConnection: true } : {}),
    altStatName: `local.${service.name}:${port.number}`,
  });
}

const ADDRESSED: Cluster = { type: DiscoveryType.STATIC, connectTimeout: CONNECT_TIMEOUT };

/**
 * A server of names that fails or doesn't answer takes nothing away; one that has no address for
 * the name empties the cluster.
 */
const NAMED: Cluster = {
  type: DiscoveryType.STRICT_DNS,
  connectTimeout: NAMED_CONNECT_TIMEOUT,
  // IPv6 where there is no IPv4 address.
  dnsLookupFamily: DnsLookupFamily.V4_PREFERRED,
  dnsRefreshRate: toDuration(SECOND_MS),
  dnsFailureRefreshRate: {
    baseInterval: toDuration(SECOND_MS / 2),
    maxInterval: toDuration(SECOND_MS),
  },
  // Else one that its last check found well is called until two checks fail, and its address may be
  // somebody else's by then.
  ignoreHealthOnHostRemoval: true,
};

/**
 * An address at which nobody is, and that the name still has, is left out after one attempt, for a
 * second or two: a connection has only so many attempts, and the next one may be to the same
 * address. What applications answer leaves them where they are, and with none that is good, all are
 * called.
 */
const UNREACHED: Cluster = {
  // At once: Envoy's default delivers what is found within a second together, at its end.
  commonLbConfig: { ...NEVER_EMPTY, updateMergeWindow: NO_LIMIT },
  outlierDetection: {
    splitExternalLocalOriginErrors: true,
    consecutiveLocalOriginFailure: { value: 1 },
    enforcingConsecutive_5xx: { value: 0 },
    enforcingSuccessRate: { value: 0 },
    enforcingLocalOriginSuccessRate: { value: 0 },
    maxEjectionPercent: { value: 100 },
    interval: toDuration(SECOND_MS),
    baseEjectionTime: toDuration(SECOND_MS),
    maxEjectionTime: toDuration(2 * SECOND_MS),
  },
};

/** With `health` it is the checks that say who is there. */
function toNamed({ health }: Port): Cluster {
  return health === undefined ? { ...NAMED, ...UNREACHED } : NAMED;
}
