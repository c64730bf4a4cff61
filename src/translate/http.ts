// HTTP connection managers. Envoy's defaults break applications (15 s route timeout, 5 min idle
// streams, WebSocket 403, HTTP/1.0 426) and let path rules be walked around; what is set here is
// set from the first push, since each of these settings sits in a filter chain and a later change
// would drain it.
import { envoy } from '../gen/envoy.js';
import { ADS_OR_WAIT, NO_LIMIT, toAny, toEmptyAny } from './messages.js';
import { ALLOW_FILTER, DENY_FILTER } from './names.js';
import { toHttpRbacFilter } from './rbac-http.js';

const hcm = envoy.extensions.filters.network.http_connection_manager.v3;
type Hcm = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
type Filter = envoy.config.listener.v3.Filter;
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
function toTransparent(statPrefix: string, http10Host: string): Hcm {
  return {
    statPrefix,
    codecType: hcm.HttpConnectionManager.CodecType.AUTO,
    httpProtocolOptions: { acceptHttp_10: true, defaultHostForHttp_10: http10Host },
    http2ProtocolOptions: { allowConnect: true },
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    streamIdleTimeout: NO_LIMIT,
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
  /** The RouteConfiguration, which carries the access rules. */
  readonly routeName: string;
  /** What a request of HTTP/1.0 without Host is taken to be for. */
  readonly host: string;
}

/**
 * The server's side: identity of the caller into x-forwarded-client-cert (a forged one is
 * replaced), paths normalised before rules see them, the two access filters with their rules in
 * RDS.
 */
export function toInboundHttp({ routeName, host }: InboundHttp): Filter {
  return toFilter({
    ...toTransparent(routeName, host),
    rds: { configSource: ADS_OR_WAIT, routeConfigName: routeName },
    httpFilters: [toHttpRbacFilter(DENY_FILTER), toHttpRbacFilter(ALLOW_FILTER), ROUTER],
    forwardClientCertDetails: hcm.HttpConnectionManager.ForwardClientCertDetails.SANITIZE_SET,
    setCurrentClientCertDetails: { uri: true },
    normalizePath: { value: true },
    mergeSlashes: true,
    pathWithEscapedSlashesAction:
      hcm.HttpConnectionManager.PathWithEscapedSlashesAction.REJECT_REQUEST,
    stripAnyHostPort: true,
    stripTrailingHostDot: true,
    commonHttpProtocolOptions: {
      headersWithUnderscoresAction:
        envoy.config.core.v3.HttpProtocolOptions.HeadersWithUnderscoresAction.REJECT_REQUEST,
    },
  });
}

/** The caller's side: every request to the one cluster. */
export function toOutboundHttp(cluster: string): Filter {
  return toFilter({
    ...toTransparent(`outbound:${cluster}`, cluster),
    routeConfig: {
      name: cluster,
      virtualHosts: [{ name: cluster, domains: ['*'], routes: [toRoute(cluster, OUTBOUND_RETRY)] }],
    },
    httpFilters: [ROUTER],
  });
}

type RetryPolicy = envoy.config.route.v3.RetryPolicy;

/**
 * Only requests that no application has seen are tried again: an endpoint that went away between
 * two pushes costs a connection attempt, not a failed request.
 */
const OUTBOUND_RETRY: RetryPolicy = {
  retryOn: 'connect-failure,refused-stream,reset-before-request',
  numRetries: { value: 3 },
  retryHostPredicate: [
    {
      name: 'envoy.retry_host_predicates.previous_hosts',
      typedConfig: toEmptyAny(
        'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
      ),
    },
  ],
  hostSelectionRetryMaxAttempts: 3,
};

/** All paths to one cluster, without the 15 s that Envoy gives a route. */
export function toRoute(cluster: string, retryPolicy?: RetryPolicy): envoy.config.route.v3.Route {
  return { match: { prefix: '/' }, route: { cluster, timeout: NO_LIMIT, retryPolicy } };
}
