// How calls go out (capture mode `loopback`): one listener per port of each service that this
// workload may call, on the loopback address that stands for that service (the sidecar's prefix
// plus the service's index). Any TCP protocol works, and no capability is needed.
import type { Port, Service } from '../policy/index.js';
import type { Resource } from '../xds/index.js';
import { toOutboundHttp } from './http.js';
import { BUFFER_LIMIT } from './http-protocol.js';
import type { Listen } from './listen.js';
import { isHttp, toListener, toTcpProxy } from './listeners.js';
import { toClusterName, toOutboundName } from './names.js';
import { hasSidecarsAlone } from './peers.js';
import { TO_ADDRESSES, TO_SIDECARS } from './retries.js';
import { toMarkMetadata } from './revoked.js';

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
  const key = `${toOutboundName(callee, port)} ${address} ${listen} ${mark}`;
  const resource = ofPort.get(key) ?? translate(outbound);
  ofPort.set(key, resource);
  return resource;
}

function translate({ callee, port, address, listen, mark }: Outbound): Resource {
  const cluster = toClusterName(callee, port);
  return toListener({
    name: toOutboundName(callee, port),
    address,
    listen,
    port: port.number,
    direction: 'outbound',
    ...(isHttp(port) ? { bufferLimit: BUFFER_LIMIT } : {}),
    filterChains: [
      {
        name: 'default',
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
      },
    ],
    source: port.source,
  });
}
