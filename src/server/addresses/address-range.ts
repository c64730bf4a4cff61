import { BlockList, isIPv6 } from 'node:net';
import { tryIpAddress } from './ip-address.js';

/** A network address and how many bits of it count. */
export interface AddressRange {
  readonly address: string;
  readonly bits: number;
}

export interface AddressSet {
  has(text: string): boolean;
}

const RANGE = /^([^/]+)(?:\/(\d{1,3}))?$/;

/** `10.0.0.0/8`, `fd00::/8`, or one address; undefined for other text. */
export function tryAddressRange(text: string): AddressRange | undefined {
  const [, host, digits] = RANGE.exec(text) ?? [];
  const address = tryIpAddress(host);
  if (address === undefined) return undefined;
  const most = isIPv6(address) ? 128 : 32;
  const bits = digits === undefined ? most : Number(digits);
  return bits <= most ? { address, bits } : undefined;
}

/** One address alone, or with its bits. */
function formatAddressRange({ address, bits }: AddressRange): string {
  return bits === (isIPv6(address) ? 128 : 32) ? address : `${address}/${bits}`;
}

/** The range in one spelling; undefined for other text. */
export function tryRangeText(text: unknown): string | undefined {
  const range = typeof text === 'string' ? tryAddressRange(text) : undefined;
  return range && formatAddressRange(range);
}

/** Takes addresses in any spelling. */
export function toAddressSet(ranges: readonly AddressRange[]): AddressSet {
  // Apart: Node takes an IPv4 address for its IPv4-mapped one, which is in `::/0`.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const { address, bits } of ranges) {
    const family = toFamily(address);
    lists[family].addSubnet(address, bits, family);
  }
  return {
    has(text) {
      const address = tryIpAddress(text);
      if (address === undefined) return false;
      const family = toFamily(address);
      return lists[family].check(address, family);
    },
  };
}

function toFamily(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}
