// How a sidecar notices that a peer is gone or can't serve, and goes round it.
import { envoy } from '../gen/envoy.js';
import type { Port, Service } from '../policy/index.js';
import { toDuration } from './messages.js';
import { IS_UNREACHED } from './retries.js';

type Cluster = envoy.config.cluster.v3.Cluster;
type OutlierErrors = envoy.extensions.upstreams.http.v3.HttpProtocolOptions.OutlierDetection;

/** Whether all of its addresses are sidecars'. */
export function hasSidecarsAlone({ sidecar, endpoints }: Service): boolean {
  return sidecar && endpoints.length === 0;
}

/** A connection that says nothing, to a peer that vanished: the kernel asks. */
export const TCP_KEEPALIVE: envoy.config.core.v3.TcpKeepalive = {
  keepaliveTime: { value: 5 },
  keepaliveInterval: { value: 3 },
  keepaliveProbes: { value: 3 },
};

/** With none that is good, all are called: a service is never emptied. */
export const NEVER_EMPTY: Cluster['commonLbConfig'] = { healthyPanicThreshold: { value: 1 } };

const FAILURES = 3;

/**
 * Of HTTP: an instance that can't be reached, or that can't reach its application, is left out for
 * 5 s, and for longer each time. An application's own 5xx are its answers, and leave it where it
 * is.
 */
export const OUTLIERS: Pick<Cluster, 'outlierDetection' | 'commonLbConfig'> = {
  commonLbConfig: NEVER_EMPTY,
  outlierDetection: {
    consecutive_5xx: { value: FAILURES },
    splitExternalLocalOriginErrors: true,
    consecutiveLocalOriginFailure: { value: FAILURES },
    enforcingSuccessRate: { value: 0 },
    enforcingLocalOriginSuccessRate: { value: 0 },
    maxEjectionPercent: { value: 100 },
    interval: toDuration(5_000),
    baseEjectionTime: toDuration(5_000),
    maxEjectionTime: toDuration(60_000),
  },
};

/** What counts as 5xx above. */
export const OUTLIER_ERRORS: OutlierErrors = {
  errorMatcher: { httpResponseHeadersMatch: { headers: [IS_UNREACHED] } },
};

const CHECKS = {
  interval: toDuration(4_000),
  noTrafficInterval: toDuration(4_000),
  timeout: toDuration(3_000),
  unhealthyThreshold: { value: 2 },
  healthyThreshold: { value: 1 },
} as const;

/**
 * Of a sidecar's own application, where mesh.yaml asks for it. While it is down its requests are
 * answered as those of one that can't be reached, so that callers go elsewhere.
 */
export function toApplicationChecks({ health, protocol }: Port, host: string): Cluster {
  const healthChecks = toHealthChecks({ health, protocol }, host);
  if (healthChecks.length === 0) return {};
  return { commonLbConfig: { healthyPanicThreshold: { value: 0 } }, healthChecks };
}

export function toHealthChecks(
  { health, protocol }: Pick<Port, 'health' | 'protocol'>,
  host: string,
): envoy.config.core.v3.HealthCheck[] {
  if (health === undefined) return [];
  const { HTTP1, HTTP2 } = envoy.type.v3.CodecClientType;
  return [
    {
      ...CHECKS,
      httpHealthCheck: {
        host,
        path: health.path,
        codecClientType: protocol === 'http' ? HTTP1 : HTTP2,
        expectedStatuses: [{ start: 200, end: 400 }],
      },
    },
  ];
}

/**
 * The address that a sidecar calls its application from: not 127.0.0.1, which databases and others
 * trust as if it were the application's own host (Istio's choice too). IPv6 has one loopback
 * address only; from an address of the host's own it is that one's peer.
 */
export const FROM_SIDECAR = '127.0.0.6';

export function toSourceAddress({ target }: Port): Pick<Cluster, 'upstreamBindConfig'> {
  if (!/^127\.[0-9.]+$/.test(target.address)) return {};
  return { upstreamBindConfig: { sourceAddress: { address: FROM_SIDECAR, portValue: 0 } } };
}
