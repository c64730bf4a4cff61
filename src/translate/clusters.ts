// Where calls go. A cluster is one service's port. Its own transport socket is always the mTLS
// context, so that an endpoint which no match names fails closed (without one Envoy would call it
// in plain text); plain text is an explicit match by endpoint metadata. Which address of an
// endpoint is called, its mesh port or its declared port, is EDS's: a mode change moves the
// endpoint and leaves the cluster alone.
import { envoy } from '../gen/envoy.js';
import { type Port, type Service, toSpiffeIds } from '../policy/index.js';
import type { Resource } from '../xds/index.js';
import type { Callee } from './callees.js';
import {
  CIRCUIT_BREAKERS,
  HTTP1_IDLE_MS,
  toClusterResource,
  toHttpOptions,
  type Version,
} from './cluster-parts.js';
import { toEndpoints } from './endpoints.js';
import { HTTP2, HTTP2_KEPT_ALIVE } from './http-protocol.js';
import { isHttp } from './listeners.js';
import { ADS, toDuration } from './messages.js';
import { PLAIN_MATCH, toCalledName, toClusterName } from './names.js';
import { hasSidecarsAlone, OUTLIER_ERRORS, OUTLIERS, TCP_KEEPALIVE } from './peers.js';
import { toExactSan } from './san.js';
import { RAW_BUFFER, toUpstreamTls } from './tls.js';

const v3 = envoy.config.cluster.v3;
type Cluster = envoy.config.cluster.v3.Cluster;

/** With its handshake. Four of them are less than the 15 s that a peer that is gone may cost. */
const CONNECT_TIMEOUT = toDuration(3_000);
/**
 * HTTP/2 wherever the peer is sure to speak it: every sidecar does, an application on `http` may
 * not. It has no upper case, so that a port which keeps it is called as its callers call.
 */
function versionBetween(callee: Service, port: Port): Version {
  if (port.protocol !== 'http') return 'http2';
  if (!hasSidecarsAlone(callee)) return 'http1';
  return port.headerCase === 'preserve' ? 'same' : 'http2';
}

/**
 * A service's port as its callers see it.
 * @param connects Differs where a caller is to connect anew: Envoy then makes the cluster anew, and
 * the old one ends its requests and connections by itself. Undefined: there is nothing to end.
 */
export function toCalleeCluster(
  { callee, port, sidecars }: Callee,
  connects?: string | undefined,
): Resource {
  const name = toClusterName(callee, port);
  return toClusterResource(port, {
    name,
    connectTimeout: CONNECT_TIMEOUT,
    // Not least request: an endpoint that is gone fails fastest, has the fewest, and would draw the
    // most.
    lbPolicy: v3.Cluster.LbPolicy.ROUND_ROBIN,
    circuitBreakers: CIRCUIT_BREAKERS,
    ...toDiscovery({ callee, port, sidecars }),
    transportSocket: toUpstreamTls({
      settings: port.tls,
      servers: toSpiffeIds(callee).map(toExactSan),
      serverName: toCalledName(callee, port),
    }),
    transportSocketMatches: [
      {
        name: PLAIN_MATCH.value,
        match: { fields: { [PLAIN_MATCH.key]: { stringValue: PLAIN_MATCH.value } } },
        transportSocket: RAW_BUFFER,
      },
    ],
    upstreamConnectionOptions: { tcpKeepalive: TCP_KEEPALIVE },
    ...(connects === undefined ? {} : { metadata: toConnectsMetadata(connects) }),
    ...(isHttp(port) ? { ...OUTLIERS, ...toCalleeOptions(callee, port) } : {}),
  });
}

/** Nothing reads it. */
function toConnectsMetadata(connects: string): Cluster['metadata'] {
  return { filterMetadata: { countersign: { fields: { connects: { stringValue: connects } } } } };
}

function toCalleeOptions(callee: Service, port: Port): ReturnType<typeof toHttpOptions> {
  const version = versionBetween(callee, port);
  return toHttpOptions(port, {
    version,
    http2: hasSidecarsAlone(callee) ? HTTP2_KEPT_ALIVE : HTTP2,
    outlierDetection: OUTLIER_ERRORS,
    ...(version === 'http2' ? {} : { idleMs: HTTP1_IDLE_MS }),
  });
}

/** True where a DNS name must be resolved by Envoy, which EDS can't carry. */
export function hasDnsEndpoint(callee: Service): boolean {
  return callee.endpoints.some((endpoint) => !endpoint.isIp);
}

function toDiscovery({ callee, port, sidecars }: Callee): Cluster {
  if (!hasDnsEndpoint(callee)) {
    return { type: v3.Cluster.DiscoveryType.EDS, edsClusterConfig: { edsConfig: ADS } };
  }
  return {
    type: v3.Cluster.DiscoveryType.STRICT_DNS,
    // Both families are tried: by default Envoy takes IPv6 alone wherever a name has both.
    dnsLookupFamily: v3.Cluster.DnsLookupFamily.ALL,
    loadAssignment: toEndpoints({ callee, port, sidecars }),
  };
}
