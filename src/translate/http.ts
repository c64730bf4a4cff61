// HTTP connection managers. Envoy's defaults break applications (15 s route timeout, 5 min idle
// streams, WebSocket 403, HTTP/1.0 426) and let path rules be walked around; what is set here is
// set from the first push, since each of these settings sits in a filter chain and a later change
// would drain it.
import { envoy } from '../gen/envoy.js';
import { looksAtPaths, type Port } from '../policy/index.js';
import { CLEANING } from './http-cleaning.js';
import {
  HTTP2,
  HTTP2_KEPT_ALIVE,
  MAX_HEADERS,
  MAX_HEADERS_KB,
  RETRY_BUFFER_LIMIT,
  toHttp1,
} from './http-protocol.js';
import { ADS_OR_WAIT, NO_LIMIT, toAny } from './messages.js';
import { ALLOW_FILTER, DENY_FILTER } from './names.js';
import { toHttpRbacFilter } from './rbac-http-filter.js';
import { IS_SAFE, type Retries, UNREACHED_HEADER, UNREACHED_REPLY } from './retries.js';
import { OTHER_UPGRADES, UPGRADES } from './upgrades.js';

const hcm = envoy.extensions.filters.network.http_connection_manager.v3;
type Hcm = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
type Filter = envoy.config.listener.v3.Filter;
type Route = envoy.config.route.v3.Route;
type RouteMatch = envoy.config.route.v3.RouteMatch;
type RetryPolicy = envoy.config.route.v3.RetryPolicy;
type HttpFilter = envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;

const ROUTER: HttpFilter = {
  name: 'envoy.filters.http.router',
  typedConfig: toAny(
    'envoy.extensions.filters.http.router.v3.Router',
    envoy.extensions.filters.http.router.v3.Router,
    { suppressEnvoyHeaders: true },
  ),
};

/** What both directions need to be transparent to an application. */
function toTransparent(statPrefix: string, host: string, port: Port): Hcm {
  return {
    statPrefix,
    codecType: hcm.HttpConnectionManager.CodecType.AUTO,
    commonHttpProtocolOptions: MAX_HEADERS,
    httpProtocolOptions: {
      ...toHttp1(port),
      acceptHttp_10: true,
      defaultHostForHttp_10: host,
      ignoreHttp_11Upgrade: OTHER_UPGRADES,
    },
    http2ProtocolOptions: HTTP2,
    maxRequestHeadersKb: { value: MAX_HEADERS_KB },
    upgradeConfigs: UPGRADES.map((upgradeType) => ({ upgradeType })),
    proxy_100Continue: true,
    streamIdleTimeout: NO_LIMIT,
    generateRequestId: { value: false },
    preserveExternalRequestId: true,
    serverHeaderTransformation: hcm.HttpConnectionManager.ServerHeaderTransformation.PASS_THROUGH,
  };
}

function toFilter(message: Hcm): Filter {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typedConfig: toAny(
      'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
      hcm.HttpConnectionManager,
      message,
    ),
  };
}

export interface InboundHttp {
  readonly port: Port;
  /** The RouteConfiguration, which carries the access rules. */
  readonly routeName: string;
  /** What a request of HTTP/1.0 without Host is taken to be for. */
  readonly host: string;
}

/**
 * The server's side: identity of the caller into x-forwarded-client-cert (a forged one is
 * replaced), the two access filters with their rules in RDS. Paths are normalised where rules look
 * at them, and for the application too: Envoy has no path for matching alone. Nothing else of a
 * request is changed.
 */
export function toInboundHttp({ port, routeName, host }: InboundHttp): Filter {
  const looked = looksAtPaths(port.access);
  const action = hcm.HttpConnectionManager.PathWithEscapedSlashesAction;
  return toFilter({
    ...toTransparent(routeName, host, port),
    http2ProtocolOptions: HTTP2_KEPT_ALIVE,
    rds: { configSource: ADS_OR_WAIT, routeConfigName: routeName },
    httpFilters: [toHttpRbacFilter(DENY_FILTER), toHttpRbacFilter(ALLOW_FILTER), CLEANING, ROUTER],
    localReplyConfig: UNREACHED_REPLY,
    forwardClientCertDetails: hcm.HttpConnectionManager.ForwardClientCertDetails.SANITIZE_SET,
    setCurrentClientCertDetails: { uri: true },
    normalizePath: { value: looked },
    mergeSlashes: looked,
    pathWithEscapedSlashesAction:
      port.escapedSlashes === 'reject' ? action.REJECT_REQUEST : action.KEEP_UNCHANGED,
  });
}

export interface OutboundHttp {
  readonly cluster: string;
  readonly port: Port;
  /** What a request of HTTP/1.0 without Host is taken to be for. */
  readonly host: string;
  readonly retries: Retries;
}

/** The caller's side: every request to the one cluster. */
export function toOutboundHttp({ cluster, host, port, retries }: OutboundHttp): Filter {
  return toFilter({
    ...toTransparent(`outbound:${cluster}`, host, port),
    routeConfig: {
      name: cluster,
      virtualHosts: [{ name: cluster, domains: ['*'], routes: toRoutes(cluster, retries) }],
      responseHeadersToRemove: [UNREACHED_HEADER],
    },
    httpFilters: [CLEANING, ROUTER],
  });
}

/**
 * All paths to one cluster, without the 15 s that Envoy gives a route. Of two Host headers Envoy
 * makes one, joined by a comma: RFC 9112 section 3.2 wants 400.
 */
export function toRoutes(cluster: string, { safe, other }: Retries): Route[] {
  const toRoute = (match: RouteMatch, retryPolicy: RetryPolicy | undefined): Route => ({
    match,
    route: { cluster, timeout: NO_LIMIT, retryPolicy },
    perRequestBufferLimitBytes: RETRY_BUFFER_LIMIT,
  });
  return [
    {
      match: {
        prefix: '/',
        headers: [{ name: ':authority', stringMatch: { contains: ',' } }],
      },
      directResponse: { status: 400 },
    },
    ...(safe === other ? [] : [toRoute({ prefix: '/', headers: [IS_SAFE] }, safe)]),
    toRoute({ prefix: '/' }, other),
  ];
}
