// HTTP access rules travel in RDS, as per-route configuration on the RouteConfiguration, so that a
// rule change takes effect on open connections and drains none. The filters in the chain are
// constant (`rbac-http-filter.ts`).
import { envoy, type google } from '../gen/envoy.js';
import type { Port, Service } from '../policy/index.js';
import { createResource, type Resource } from '../xds/index.js';
import { toRoutes } from './http.js';
import { FORGED_CALLERS } from './http-cleaning.js';
import { toAny } from './messages.js';
import { ALLOW_FILTER, DENY_FILTER, toInboundName, toLocalClusterName } from './names.js';
import { type RbacContext, toAllowRules, toDenyRules } from './rbac.js';
import { toApplicationRetries, UNREACHED_HEADER } from './retries.js';

const http = envoy.extensions.filters.http.rbac.v3;
type Rbac = envoy.config.rbac.v3.RBAC;

/** `rbac` is always present: an RBACPerRoute without it would switch the filter off. */
function toPerRoute(rules: Rbac): google.protobuf.Any {
  return toAny('envoy.extensions.filters.http.rbac.v3.RBACPerRoute', http.RBACPerRoute, {
    rbac: { rules },
  });
}

/** The RouteConfiguration of a declared HTTP port: to the application, under the port's rules. */
export function toInboundRoutes(service: Service, port: Port, context: RbacContext): Resource {
  const cluster = toLocalClusterName(port);
  const message: envoy.config.route.v3.RouteConfiguration = {
    name: toInboundName(port),
    virtualHosts: [
      { name: service.name, domains: ['*'], routes: toRoutes(cluster, toApplicationRetries(port)) },
    ],
    requestHeadersToRemove: FORGED_CALLERS,
    responseHeadersToRemove: [UNREACHED_HEADER],
    typedPerFilterConfig: {
      [DENY_FILTER]: toPerRoute(toDenyRules(port, context)),
      [ALLOW_FILTER]: toPerRoute(toAllowRules(port, context)),
    },
  };
  return createResource({
    name: toInboundName(port),
    value: envoy.config.route.v3.RouteConfiguration.encode(message).finish(),
    source: port.access.source,
  });
}
