// Which of a workload's callees gets which address and port of its sidecar. Two of them can't have
// the same, nor one that the sidecar is called at: Envoy would reject the listener for ever. A list
// of addresses (`bootstrap --outbound`) can ask for that, and a port that is declared later.
import { MESH_PORT, type Mesh, type Port, type Service } from '../policy/index.js';
import { toCallees } from './callees.js';
import type { Listen } from './listen.js';
import { MESH_LISTENER, toClusterName, toInboundName } from './names.js';
import type { Revoked } from './revoked.js';

export interface PlacingInput {
  readonly mesh: Mesh;
  readonly service: Service;
  /** The node's own; undefined: not known. */
  readonly address: string | undefined;
  readonly listen: Listen;
  /** The address that stands for a service at this sidecar; undefined: there is none. */
  readonly outboundAddress: (callee: Service) => string | undefined;
  readonly revoked?: Revoked;
}

export interface Placed {
  readonly callee: Service;
  readonly port: Port;
  readonly address: string;
}

/** A callee that has no listener, because something else has its place. */
export interface Clash {
  /** `payments/db:8080` */
  readonly callee: string;
  /** `198.18.0.2:8080` */
  readonly place: string;
  /** Another callee, or one of the sidecar's own listeners: `ledger:8080`, `inbound:8080`. */
  readonly holder: string;
}

export interface Placing {
  readonly placed: readonly Placed[];
  readonly clashes: readonly Clash[];
}

/** In the mesh's order, the first of those that ask for one place. */
export function placeCallees(input: PlacingInput): Placing {
  const { mesh, service, outboundAddress, revoked } = input;
  const holders = new Map(ownPlaces(input));
  const placed: Placed[] = [];
  const clashes: Clash[] = [];
  for (const { callee, port } of toCallees(mesh, service, revoked)) {
    const address = outboundAddress(callee);
    if (address === undefined) continue;
    const name = toClusterName(callee, port);
    const place = `${address}:${port.number}`;
    const holder = holders.get(place);
    if (holder !== undefined) {
      clashes.push({ callee: name, place, holder });
      continue;
    }
    holders.set(place, name);
    placed.push({ callee, port, address });
  }
  return { placed, clashes };
}

/** None of a sidecar that listens everywhere, which is elsewhere for Envoy and for Linux. */
function ownPlaces({ service, address, listen }: PlacingInput): [place: string, name: string][] {
  if (address === undefined || listen === 'any' || service.ports.length === 0) return [];
  return [
    [`${address}:${MESH_PORT}`, MESH_LISTENER],
    ...service.ports.map((port): [string, string] => [
      `${address}:${port.number}`,
      toInboundName(port),
    ]),
  ];
}
