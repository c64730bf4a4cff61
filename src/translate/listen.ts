// Where a sidecar listens for its callers. Callers reach it at the address by which it is
// registered, and nearly always it listens there alone. A container that is on several networks,
// whose addresses nobody knows beforehand, has it listen everywhere.
import { isIPv6 } from 'node:net';
import type { envoy } from '../gen/envoy.js';
import { toTcpAddress } from './messages.js';

export type Listen =
  /** At its registered address. */
  | 'address'
  /** At all of them. */
  | 'any';

/**
 * Where the inbound listeners are. A sidecar whose registered address is IPv4 may be on a machine
 * whose kernel has no IPv6, where `::` can't be bound; one that came by IPv6 is on none.
 */
export function toListenAddress(
  address: string,
  { listen, port }: { readonly listen: Listen; readonly port: number },
): envoy.config.core.v3.Address {
  if (listen === 'address') return toTcpAddress(address, port);
  return isIPv6(address) ? toWildcard(port) : toTcpAddress('0.0.0.0', port);
}

/** Every address, of IPv4 as well. */
export function toWildcard(port: number): envoy.config.core.v3.Address {
  return { socketAddress: { address: '::', portValue: port, ipv4Compat: true } };
}
