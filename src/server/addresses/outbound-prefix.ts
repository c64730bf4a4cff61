import { MeshError } from '../../base/index.js';

/** An IPv4 prefix on which a sidecar listens for the services it calls, such as 127.64.0.0/10. */
export interface OutboundPrefix {
  readonly kind: 'prefix';
  /** The network's first address, as a number. */
  readonly base: number;
  /** How many addresses it has. */
  readonly size: number;
}

export const DEFAULT_OUTBOUND = '127.64.0.0/10';

const EXAMPLES = `${DEFAULT_OUTBOUND} or 127.65.3.0/24, or callees: ledger=198.18.0.2`;

const CIDR = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/;

/** @throws MeshError request-invalid where the text is no loopback IPv4 prefix of /8 to /30. */
export function parseOutboundPrefix(text: string): OutboundPrefix {
  const match = CIDR.exec(text);
  const numbers = (match ?? []).slice(1).map(Number);
  const [a = 256, b = 256, c = 256, d = 256, bits = 0] = numbers;
  const good = [a, b, c, d].every((octet) => octet <= 255) && bits >= 8 && bits <= 30;
  const address = ((a * 256 + b) * 256 + c) * 256 + d;
  const size = 2 ** (32 - bits);
  if (!good || a !== 127 || address % size !== 0) {
    throw new MeshError(
      'request-invalid',
      `expected a prefix within 127.0.0.0/8 but got "${text}"`,
      {
        hint: `an IPv4 network address with its length, such as ${EXAMPLES}`,
      },
    );
  }
  return { kind: 'prefix', base: address, size };
}

/** The loopback address of a service's index; undefined where the prefix is too small for it. */
export function tryOutboundAddress(prefix: OutboundPrefix, index: number): string | undefined {
  // The last address of a prefix may be 127.255.255.255, which is a broadcast address.
  if (index >= prefix.size - 1) return undefined;
  const address = prefix.base + index;
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** The same. @throws MeshError resource-limit where the prefix is too small. */
export function toOutboundAddress(prefix: OutboundPrefix, index: number): string {
  const address = tryOutboundAddress(prefix, index);
  if (address !== undefined) return address;
  const message = `outbound prefix of ${prefix.size} addresses is too small`;
  throw new MeshError('resource-limit', message, { variant: 'outbound' });
}
