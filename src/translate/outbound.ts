// How calls go out (capture mode `loopback`): one listener per port of each service that this
// workload may call, on the loopback address that stands for that service (the sidecar's prefix
// plus the service's index). Any TCP protocol works, and no capability is needed.
import type { envoy } from '../gen/envoy.js';
import type { Port, Service } from '../policy/index.js';
import type { Resource } from '../xds/index.js';
import { toOutboundHttp } from './http.js';
import { BUFFER_LIMIT } from './http-protocol.js';
import type { Listen } from './listen.js';
import { isHttp, toListener, toTcpProxy } from './listeners.js';
import { toTcpAddress } from './messages.js';
import { toClusterName, toOutboundName } from './names.js';
import { hasSidecarsAlone } from './peers.js';
import { TO_ADDRESSES, TO_SIDECARS } from './retries.js';
import { toMarkMetadata } from './revoked.js';

type FilterChain = envoy.config.listener.v3.FilterChain;

export interface Outbound {
  readonly callee: Service;
  readonly port: Port;
  /** The loopback address of the callee at this sidecar. */
  readonly address: string;
  readonly listen: Listen;
  /** Of the connections that are to end; undefined: none ever were. */
  readonly mark: string | undefined;
}

/**
 * By port, then by all else that it is made of. Nearly all sidecars have the same outbound prefix,
 * so one resource serves all callers of a port; it goes when its mesh does, with the port.
 */
const known = new WeakMap<Port, Map<string, Resource>>();

export function toOutboundListener(outbound: Outbound): Resource {
  const { callee, port, address, listen, mark = '' } = outbound;
  const ofPort = known.get(port) ?? new Map<string, Resource>();
  known.set(port, ofPort);
  // A port that is between forms may be an older form's, of a callee that has changed.
  const called = `${toOutboundName(callee, port)} ${hasSidecarsAlone(callee)}`;
  const key = `${called} ${address} ${listen} ${mark}`;
  const resource = ofPort.get(key) ?? translate(outbound);
  ofPort.set(key, resource);
  return resource;
}

function translate({ callee, port, address, listen, mark }: Outbound): Resource {
  return toListener({
    name: toOutboundName(callee, port),
    address: toTcpAddress(address, port.number),
    listen,
    direction: 'outbound',
    ...(isHttp(port) ? { bufferLimit: BUFFER_LIMIT } : {}),
    filterChains: [toOutboundChain({ callee, port, mark, name: 'default' })],
    source: port.source,
  });
}

export interface OutboundChain extends Pick<Outbound, 'callee' | 'port' | 'mark'> {
  readonly name: string;
}

/** Whatever comes by it goes to that port of that service. */
export function toOutboundChain({ callee, port, mark, name }: OutboundChain): FilterChain {
  const cluster = toClusterName(callee, port);
  return {
    name,
    filters: [
      isHttp(port)
        ? toOutboundHttp({
            cluster,
            port,
            host: callee.name,
            retries: hasSidecarsAlone(callee) ? TO_SIDECARS : TO_ADDRESSES,
          })
        : toTcpProxy(cluster, { connect: 'at-once' }),
    ],
    metadata: toMarkMetadata(mark),
  };
}
