// HTTP access rules travel in RDS, as per-route configuration on the RouteConfiguration, so that a
// rule change takes effect on open connections and drains none. The filters in the chain are
// constant (`rbac-http-filter.ts`).
import { envoy, type google } from '../gen/envoy.js';
import type { Port, Service } from '../policy/index.js';
import { createResource, type Resource } from '../xds/index.js';
import { toServingForms, type Way } from './forms.js';
import { toRoutes } from './http.js';
import { FORGED_CALLERS } from './http-cleaning.js';
import { isHttp } from './listeners.js';
import { toAny } from './messages.js';
import { ALLOW_FILTER, DENY_FILTER, toInboundName, toLocalClusterName } from './names.js';
import { type RbacContext, toAllowRules, toDenyRules } from './rbac.js';
import { toApplicationRetries, UNREACHED_HEADER } from './retries.js';

const http = envoy.extensions.filters.http.rbac.v3;
type Route = envoy.config.route.v3.Route;
type Rbac = envoy.config.rbac.v3.RBAC;

/** `rbac` is always present: an RBACPerRoute without it would switch the filter off. */
function toPerRoute(rules: Rbac): google.protobuf.Any {
  return toAny('envoy.extensions.filters.http.rbac.v3.RBACPerRoute', http.RBACPerRoute, {
    rbac: { rules },
  });
}

function toRules(form: Port, context: RbacContext): Pick<Route, 'typedPerFilterConfig'> {
  return {
    typedPerFilterConfig: {
      [DENY_FILTER]: toPerRoute(toDenyRules(form, context)),
      [ALLOW_FILTER]: toPerRoute(toAllowRules(form, context)),
    },
  };
}

/**
 * The RouteConfiguration of a declared HTTP port: to the application, under the port's rules. Both
 * change in one message. Where each way in has a form of its own, each has routes of its own; who
 * shows no certificate has those of plain text, which permit no TLS.
 */
export function toInboundRoutes(service: Service, port: Port, context: RbacContext): Resource {
  const forms = toServingForms(port).filter(isHttp);
  const [form = port, other] = forms;
  const routes =
    other === undefined
      ? toApplication(form)
      : [...toRoutesOfWay(form, 'tls', context), ...toRoutesOfWay(other, 'plain', context)];
  const message: envoy.config.route.v3.RouteConfiguration = {
    name: toInboundName(port),
    virtualHosts: [{ name: service.name, domains: ['*'], routes }],
    requestHeadersToRemove: FORGED_CALLERS,
    responseHeadersToRemove: [UNREACHED_HEADER],
    ...(other === undefined ? toRules(form, context) : {}),
  };
  return createResource({
    name: toInboundName(port),
    value: envoy.config.route.v3.RouteConfiguration.encode(message).finish(),
    source: port.access.source,
  });
}

function toApplication(form: Port): Route[] {
  return toRoutes(toLocalClusterName(form), toApplicationRetries(form));
}

function toRoutesOfWay(form: Port, way: Way, context: RbacContext): Route[] {
  const tlsContext = way === 'tls' ? { presented: { value: true } } : undefined;
  const rules = toRules(form, context);
  return toApplication(form).map((route) => ({
    ...route,
    match: { ...route.match, tlsContext },
    ...rules,
  }));
}
