// TCP access rules travel by ECDS: a rule change touches no listener and binds new connections. The
// filters wait for their configuration (no default), so a connection is never served without its
// rules. Network RBAC decides at the client's first byte, too late where an application speaks
// first: the handshake has decided before (decision 022), and these judge once more.
import { envoy } from '../gen/envoy.js';
import type { Port } from '../policy/index.js';
import { createResource, type Resource } from '../xds/index.js';
import { ADS_OR_WAIT, toAny } from './messages.js';
import { ALLOW_FILTER, DENY_FILTER, toTcpFilterName } from './names.js';
import { type RbacContext, toAllowRules, toDenyRules } from './rbac.js';

const TYPE = 'envoy.extensions.filters.network.rbac.v3.RBAC';
type Filter = envoy.config.listener.v3.Filter;
type Rbac = envoy.config.rbac.v3.RBAC;

/** The two filters of a TCP chain, `deny` before `allow`. */
export function toTcpRbacFilters(port: Port): Filter[] {
  return ([DENY_FILTER, ALLOW_FILTER] as const).map((filter) => ({
    name: toTcpFilterName(port, filter),
    configDiscovery: { configSource: ADS_OR_WAIT, typeUrls: [`type.googleapis.com/${TYPE}`] },
  }));
}

function toExtension(name: string, port: Port, rules: Rbac): Resource {
  const message: envoy.config.core.v3.TypedExtensionConfig = {
    name,
    typedConfig: toAny(TYPE, envoy.extensions.filters.network.rbac.v3.RBAC, {
      rules,
      statPrefix: `${name}.`,
    }),
  };
  return createResource({
    name,
    value: envoy.config.core.v3.TypedExtensionConfig.encode(message).finish(),
    source: port.access.source,
  });
}

/** The extension configurations that those filters ask for. */
export function toTcpRules(port: Port, context: RbacContext): Resource[] {
  return [
    toExtension(toTcpFilterName(port, DENY_FILTER), port, toDenyRules(port, context)),
    toExtension(toTcpFilterName(port, ALLOW_FILTER), port, toAllowRules(port, context)),
  ];
}
