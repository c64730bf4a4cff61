// Where captured connections go that are no service's: to where they were going.
import { envoy } from '../gen/envoy.js';
import type { Service } from '../policy/index.js';
import { createResource, type Resource } from '../xds/index.js';
import { CIRCUIT_BREAKERS } from './cluster-parts.js';
import { toDuration } from './messages.js';
import { PASSED_INBOUND, PASSED_OUTBOUND } from './names.js';
import { FROM_SIDECAR, TCP_KEEPALIVE } from './peers.js';

const v3 = envoy.config.cluster.v3;
type Cluster = envoy.config.cluster.v3.Cluster;

const CONNECT_TIMEOUT = toDuration(10_000);

/**
 * An application sees its sidecar's loopback address, as at its declared ports, and never an
 * address that it may take for its own host's; of IPv6 the host has no second one.
 */
const FROM_LOOPBACK: Pick<Cluster, 'upstreamBindConfig'> = {
  upstreamBindConfig: {
    sourceAddress: { address: FROM_SIDECAR, portValue: 0 },
    extraSourceAddresses: [{ address: { address: '::', portValue: 0 } }],
  },
};

export function toPassingClusters({ capture, source }: Service): Resource[] {
  const { inbound, outbound, undeclared, egress } = capture;
  return [
    ...(inbound === 'transparent' && undeclared === 'pass'
      ? [toPassing(PASSED_INBOUND, FROM_LOOPBACK)]
      : []),
    ...(outbound === 'transparent' && egress === 'any' ? [toPassing(PASSED_OUTBOUND)] : []),
  ].map((message) =>
    createResource({
      name: message.name ?? '',
      value: v3.Cluster.encode(message).finish(),
      source,
    }),
  );
}

function toPassing(name: string, more: Cluster = {}): Cluster {
  return {
    name,
    type: v3.Cluster.DiscoveryType.ORIGINAL_DST,
    lbPolicy: v3.Cluster.LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: CONNECT_TIMEOUT,
    circuitBreakers: CIRCUIT_BREAKERS,
    upstreamConnectionOptions: { tcpKeepalive: TCP_KEEPALIVE },
    ...more,
  };
}
