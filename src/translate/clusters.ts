// Where calls go. A cluster is one service's port. Its own transport socket is always the mTLS
// context, so that an endpoint which no match names fails closed (without one Envoy would call it
// in plain text); plain text is an explicit match by endpoint metadata. Which address of an
// endpoint is called, its mesh port or its declared port, is EDS's: a mode change moves the
// endpoint and leaves the cluster alone.
import { envoy } from '../gen/envoy.js';
import type { Port, Service } from '../policy/index.js';
import { createResource, type Resource } from '../xds/index.js';
import type { Callee } from './callees.js';
import { toEndpoints } from './endpoints.js';
import {
  BUFFER_LIMIT,
  HTTP2,
  HTTP2_KEPT_ALIVE,
  MAX_ANSWER_HEADERS,
  toHttp1,
} from './http-protocol.js';
import { isHttp } from './listeners.js';
import { ADS, toAny, toDuration, toTcpAddress } from './messages.js';
import { PLAIN_MATCH, toClusterName, toLocalClusterName, toServerName } from './names.js';
import {
  hasSidecarsAlone,
  OUTLIER_ERRORS,
  OUTLIERS,
  TCP_KEEPALIVE,
  toApplicationChecks,
  toSourceAddress,
} from './peers.js';
import { toExactSan } from './san.js';
import { RAW_BUFFER, toUpstreamTls } from './tls.js';

const v3 = envoy.config.cluster.v3;
type Cluster = envoy.config.cluster.v3.Cluster;
type HttpProtocolOptions = envoy.extensions.upstreams.http.v3.HttpProtocolOptions;

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
/** An application that is started may be slow to accept. */
const APPLICATION_TIMEOUT = toDuration(5_000);
/** With its handshake. Four of them are less than the 15 s that a peer that is gone may cost. */
const CONNECT_TIMEOUT = toDuration(3_000);
/**
 * Shorter than the keep-alive of the common application servers (gunicorn 2 s, Node and uvicorn 5
 * s), so that it is hardly ever the application that closes a pooled connection just as a request
 * goes out on it. HTTP/1 has no word for a peer that vanished either: what is idle for longer isn't
 * trusted with a request.
 */
const HTTP1_IDLE_MS = 1_500;
/** Envoy's default of 1,024 would answer 503 to a burst that the application may well serve. */
const NO_BREAKER = 1_000_000;
export const CIRCUIT_BREAKERS: envoy.config.cluster.v3.CircuitBreakers = {
  thresholds: [
    {
      maxConnections: { value: NO_BREAKER },
      maxPendingRequests: { value: NO_BREAKER },
      maxRequests: { value: NO_BREAKER },
      maxRetries: { value: NO_BREAKER },
    },
  ],
};

/** The options of a cluster that speaks one version of HTTP, or that which its caller speaks. */
type Version = 'http1' | 'http2' | 'same';

interface HttpOptions {
  readonly version: Version;
  /** Default: without keepalive. */
  readonly http2?: typeof HTTP2;
  /** What counts as a failure of the peer; absent: nothing but what is seen here. */
  readonly outlierDetection?: typeof OUTLIER_ERRORS;
  readonly idleMs?: number;
}

function toHttpOptions(
  port: Port,
  { version, http2 = HTTP2, outlierDetection, idleMs }: HttpOptions,
): Pick<Cluster, 'typedExtensionProtocolOptions' | 'perConnectionBufferLimitBytes'> {
  const idle = idleMs === undefined ? {} : { idleTimeout: toDuration(idleMs) };
  const options: HttpProtocolOptions = {
    ...toVersion(port, version, http2),
    commonHttpProtocolOptions: { ...MAX_ANSWER_HEADERS, ...idle },
    outlierDetection,
  };
  const message = toAny(
    HTTP_OPTIONS,
    envoy.extensions.upstreams.http.v3.HttpProtocolOptions,
    options,
  );
  return {
    typedExtensionProtocolOptions: { [HTTP_OPTIONS]: message },
    perConnectionBufferLimitBytes: BUFFER_LIMIT,
  };
}

function toVersion(
  port: Port,
  version: Version,
  http2ProtocolOptions: typeof HTTP2,
): HttpProtocolOptions {
  const httpProtocolOptions = toHttp1(port);
  switch (version) {
    case 'http1':
      return { explicitHttpConfig: { httpProtocolOptions } };
    case 'http2':
      return { explicitHttpConfig: { http2ProtocolOptions } };
    case 'same':
      return { useDownstreamProtocolConfig: { httpProtocolOptions, http2ProtocolOptions } };
  }
}

/**
 * HTTP/2 wherever the peer is sure to speak it: every sidecar does, an application on `http` may
 * not. It has no upper case, so that a port which keeps it is called as its callers call.
 */
function versionBetween(callee: Service, port: Port): Version {
  if (port.protocol !== 'http') return 'http2';
  if (!hasSidecarsAlone(callee)) return 'http1';
  return port.headerCase === 'preserve' ? 'same' : 'http2';
}

/** The application behind a declared port. */
export function toLocalCluster(service: Service, port: Port): Resource {
  const version = port.protocol === 'http' ? 'http1' : 'http2';
  return toResource(port, {
    name: toLocalClusterName(port),
    type: v3.Cluster.DiscoveryType.STATIC,
    connectTimeout: APPLICATION_TIMEOUT,
    circuitBreakers: CIRCUIT_BREAKERS,
    upstreamConnectionOptions: { tcpKeepalive: TCP_KEEPALIVE },
    ...toApplicationChecks(port, service.name),
    ...toSourceAddress(port),
    loadAssignment: {
      clusterName: toLocalClusterName(port),
      endpoints: [
        {
          lbEndpoints: [
            { endpoint: { address: toTcpAddress(port.target.address, port.target.port) } },
          ],
        },
      ],
    },
    ...(isHttp(port) ? toHttpOptions(port, { version, idleMs: HTTP1_IDLE_MS }) : {}),
    // An HTTP/2 application that doesn't read one caller's upload stalls that caller's alone.
    ...(version === 'http2' && isHttp(port) ? { connectionPoolPerDownstreamConnection: true } : {}),
    altStatName: `local.${service.name}:${port.number}`,
  });
}

/** A service's port as its callers see it. */
export function toCalleeCluster({ callee, port, sidecars }: Callee): Resource {
  const name = toClusterName(callee, port);
  return toResource(port, {
    name,
    connectTimeout: CONNECT_TIMEOUT,
    // Not least request: an endpoint that is gone fails fastest, has the fewest, and would draw the
    // most.
    lbPolicy: v3.Cluster.LbPolicy.ROUND_ROBIN,
    circuitBreakers: CIRCUIT_BREAKERS,
    ...toDiscovery({ callee, port, sidecars }),
    transportSocket: toUpstreamTls({
      settings: port.tls,
      server: toExactSan(callee.spiffeId),
      serverName: toServerName(callee, port),
    }),
    transportSocketMatches: [
      {
        name: PLAIN_MATCH.value,
        match: { fields: { [PLAIN_MATCH.key]: { stringValue: PLAIN_MATCH.value } } },
        transportSocket: RAW_BUFFER,
      },
    ],
    upstreamConnectionOptions: { tcpKeepalive: TCP_KEEPALIVE },
    ...(isHttp(port) ? { ...OUTLIERS, ...toCalleeOptions(callee, port) } : {}),
  });
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

function toResource(port: Port, message: Cluster): Resource {
  return createResource({
    name: message.name ?? '',
    value: v3.Cluster.encode(message).finish(),
    source: port.source,
  });
}
