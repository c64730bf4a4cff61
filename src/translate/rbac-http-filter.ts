// The two HTTP access filters of a chain. They are constant: their rules come with the routes
// (`rbac-http.ts`), and their base is "deny nothing" and "allow nothing", so that a lost rule
// grants less.
import { envoy } from '../gen/envoy.js';
import { toAny } from './messages.js';
import { ALLOW_FILTER, DENY_FILTER } from './names.js';

const http = envoy.extensions.filters.http.rbac.v3;
type HttpFilter = envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;

const BASES = {
  [DENY_FILTER]: envoy.config.rbac.v3.RBAC.Action.DENY,
  [ALLOW_FILTER]: envoy.config.rbac.v3.RBAC.Action.ALLOW,
} as const;

/** One of the two filters, with the base that its route configuration replaces. */
export function toHttpRbacFilter(name: keyof typeof BASES): HttpFilter {
  return {
    name,
    typedConfig: toAny('envoy.extensions.filters.http.rbac.v3.RBAC', http.RBAC, {
      rules: { action: BASES[name], policies: {} },
    }),
  };
}
