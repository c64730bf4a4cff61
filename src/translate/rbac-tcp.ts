// TCP access rules travel by ECDS: a rule change touches no listener and binds new connections. The
// filters wait for their configuration (no default), so a connection is never served without its
// rules. Network RBAC decides at the client's first byte, too late where an application speaks
// first: the handshake has decided before (decision 022), and these judge once more.
import { envoy } from '../gen/envoy.js';
import { mayConnectPlain, type Port } from '../policy/index.js';
import { createResource, type Resource } from '../xds/index.js';
import { toMeshForm, toServed, type Way } from './forms.js';
import { isHttp } from './listeners.js';
import { ADS_OR_WAIT, toAny } from './messages.js';
import { ALLOW_FILTER, DENY_FILTER, toTcpFilterName } from './names.js';
import { ALLOW_NOTHING, type RbacContext, toAllowRules, toDenyRules } from './rbac.js';

const TYPE = 'envoy.extensions.filters.network.rbac.v3.RBAC';
type Filter = envoy.config.listener.v3.Filter;
type Rbac = envoy.config.rbac.v3.RBAC;

/** The two filters of a TCP chain, `deny` before `allow`. */
export function toTcpRbacFilters(form: Port, way: Way): Filter[] {
  return ([DENY_FILTER, ALLOW_FILTER] as const).map((filter) => ({
    name: toTcpFilterName(form, filter, way),
    configDiscovery: { configSource: ADS_OR_WAIT, typeUrls: [`type.googleapis.com/${TYPE}`] },
  }));
}

function toExtension(name: string, form: Port, rules: Rbac): Resource {
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
    source: form.access.source,
  });
}

/**
 * The extension configurations that those filters ask for, for each way in by itself: the mesh port
 * has a chain though nobody may come by it. None that no chain refers to: no sidecar would ask for
 * it, and `wait` would wait for that.
 */
export function toTcpRules(port: Port, context: RbacContext): Resource[] {
  const { tls, plain } = toServed(port);
  const mesh = toMeshForm(port);
  const allowed = tls === undefined ? ALLOW_NOTHING : toAllowRules(tls, context);
  return [
    ...(isHttp(mesh) ? [] : toBoth(mesh, 'tls', [toDenyRules(mesh, context), allowed])),
    ...(plain === undefined || isHttp(plain) || !mayConnectPlain(plain.access)
      ? []
      : toBoth(plain, 'plain', [toDenyRules(plain, context), toAllowRules(plain, context)])),
  ];
}

function toBoth(form: Port, way: Way, [deny, allow]: readonly [Rbac, Rbac]): Resource[] {
  return [
    toExtension(toTcpFilterName(form, DENY_FILTER, way), form, deny),
    toExtension(toTcpFilterName(form, ALLOW_FILTER, way), form, allow),
  ];
}
