// Which addresses a service's port has. A sidecar is called at its mesh port over mTLS unless the
// port's mode is DISABLE; then, and for addresses without a sidecar, at the declared port, marked
// plain. STRICT is a promise about the traffic: an address without a sidecar is then left out
// (fails closed). Moving an endpoint to another port is what makes a mode change take effect: new
// metadata at the same address would leave pooled connections as they were (measured, DESIGN.md).
import { envoy } from '../gen/envoy.js';
import { MESH_PORT, type Port } from '../policy/index.js';
import { createResource, type Resource } from '../xds/index.js';
import type { Callee, SidecarEndpoint } from './callees.js';
import { toTcpAddress } from './messages.js';
import {
  CAPTURED_INBOUND,
  MESH_LISTENER,
  PLAIN_MATCH,
  toClusterName,
  toInboundName,
} from './names.js';

type LbEndpoint = envoy.config.endpoint.v3.LbEndpoint;
type ClusterLoadAssignment = envoy.config.endpoint.v3.ClusterLoadAssignment;

const PLAIN: envoy.config.core.v3.Metadata = {
  filterMetadata: {
    'envoy.transport_socket_match': {
      fields: { [PLAIN_MATCH.key]: { stringValue: PLAIN_MATCH.value } },
    },
  },
};

function toPlain(host: string, port: number): LbEndpoint {
  return { endpoint: { address: toTcpAddress(host, port) }, metadata: PLAIN };
}

/** None where the listener that would be called there isn't. */
function toSidecar({ address, unbound = [] }: SidecarEndpoint, port: Port): LbEndpoint[] {
  const isPlain = port.mode === 'disable';
  const needed = [isPlain ? toInboundName(port) : MESH_LISTENER, CAPTURED_INBOUND];
  if (needed.some((name) => unbound.includes(name))) return [];
  if (isPlain) return [toPlain(address, port.number)];
  return [{ endpoint: { address: toTcpAddress(address, MESH_PORT) } }];
}

export function toEndpoints({ callee, port, sidecars }: Callee): ClusterLoadAssignment {
  const withSidecar = callee.sidecar ? sidecars.flatMap((one) => toSidecar(one, port)) : [];
  const without =
    port.mode === 'strict'
      ? []
      : callee.endpoints.map((endpoint) => toPlain(endpoint.host, endpoint.port ?? port.number));
  return {
    clusterName: toClusterName(callee, port),
    endpoints: [{ lbEndpoints: [...withSidecar, ...without] }],
  };
}

/** The endpoints of a cluster as an EDS resource; one without an address is still answered. */
export function toEndpointResource(callee: Callee): Resource {
  return createResource({
    name: toClusterName(callee.callee, callee.port),
    value: envoy.config.endpoint.v3.ClusterLoadAssignment.encode(toEndpoints(callee)).finish(),
    source: callee.port.source,
  });
}
