// What clusters have in common, of callees and of the sidecar's own application.
import { envoy } from '../gen/envoy.js';
import type { Port } from '../policy/index.js';
import { createResource, type Resource } from '../xds/index.js';
import { BUFFER_LIMIT, HTTP2, MAX_ANSWER_HEADERS, toHttp1 } from './http-protocol.js';
import { toAny, toDuration } from './messages.js';
import type { OUTLIER_ERRORS } from './peers.js';

const v3 = envoy.config.cluster.v3;
type Cluster = envoy.config.cluster.v3.Cluster;
type HttpProtocolOptions = envoy.extensions.upstreams.http.v3.HttpProtocolOptions;

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
/**
 * Shorter than the keep-alive of the common application servers (gunicorn 2 s, Node and uvicorn 5
 * s), so that it is hardly ever the application that closes a pooled connection just as a request
 * goes out on it. HTTP/1 has no word for a peer that vanished either: what is idle for longer isn't
 * trusted with a request.
 */
export const HTTP1_IDLE_MS = 1_500;
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
export type Version = 'http1' | 'http2' | 'same';

interface HttpOptions {
  readonly version: Version;
  /** Default: without keepalive. */
  readonly http2?: typeof HTTP2;
  /** What counts as a failure of the peer; absent: nothing but what is seen here. */
  readonly outlierDetection?: typeof OUTLIER_ERRORS;
  readonly idleMs?: number;
}

export function toHttpOptions(
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

export function toClusterResource(port: Port, message: Cluster): Resource {
  return createResource({
    name: message.name ?? '',
    value: v3.Cluster.encode(message).finish(),
    source: port.source,
  });
}
