// Where a sidecar listens for its callers. Callers reach it at the address by which it is
// registered, and nearly always it listens there alone. A container that is on several networks,
// whose addresses nobody knows beforehand, has it listen everywhere.
import { isIPv6 } from 'node:net';

export type Listen =
  /** At its registered address. */
  | 'address'
  /** At all of them. */
  | 'any';

export const ANY_IPV4 = '0.0.0.0';
/** IPv4 as well. */
export const ANY_IPV6 = '::';

/**
 * Where the inbound listeners are. A sidecar whose registered address is IPv4 may be on a machine
 * whose kernel has no IPv6, where `::` can't be bound; one that came by IPv6 is on none.
 */
export function toListenAddress(address: string, listen: Listen): string {
  if (listen === 'address') return address;
  return isIPv6(address) ? ANY_IPV6 : ANY_IPV4;
}
