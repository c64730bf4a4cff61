// Addresses of sidecars on the command line, each in its one spelling.
import { Option } from 'commander';
import {
  type AddressRange,
  toAddressSet,
  toSidecarAddress,
  tryAddressRange,
  tryIpAddress,
  tryRangeText,
} from '../server/addresses/index.js';
import { MAX_TOKEN_ADDRESSES } from '../tokens/index.js';
import { reader, usage } from './options.js';

/** `--address` of a sidecar. */
export function addressOption(description: string): Option {
  return new Option('--address <ip>', description).argParser(readAddress);
}

/** `--listen` of a sidecar. */
export function listenOption(): Option {
  const description =
    'any: at all addresses, in a network namespace of its own such as a container; ' +
    'default: at its address alone';
  return new Option('--listen <any>', description).argParser(
    reader({
      name: '--listen',
      expected: 'any',
      read: (text) => (text === 'any' ? text : undefined),
    }),
  );
}

/** `--address` of a token: may be given several times, and each time be a list. */
export function addressesOption(description: string): Option {
  return new Option('--address <ip or cidr,...>', description).argParser(
    (text: string, before: readonly string[] = []) => {
      const all = [...new Set([...before, ...text.split(',').map(readBinding)])];
      if (all.length <= MAX_TOKEN_ADDRESSES) return all;
      throw usage(`--address: expected at most ${MAX_TOKEN_ADDRESSES} but got ${all.length}`);
    },
  );
}

const readBinding = reader({
  name: '--address',
  expected: 'an IP address, or a range of them',
  read: tryRangeText,
});
const readAddress = reader({ name: '--address', expected: 'an IP address', read: tryIpAddress });

/** `--allow-address`, of whoever judges addresses: may be given several times, each time a list. */
export function allowAddressOption(): Option {
  const description =
    'accept what is no address of a sidecar otherwise; may be given several times';
  return new Option('--allow-address <cidr,...>', description)
    .env('COUNTERSIGN_ALLOW_ADDRESS')
    .argParser((text: string, before: readonly AddressRange[] = []) => [
      ...before,
      ...text.split(',').map(readRange),
    ]);
}

const readRange = reader({
  name: '--allow-address',
  expected: 'an IP address or a range',
  hint: 'such as 169.254.7.0/24, or fd00::/8',
  read: tryAddressRange,
});

/** Ranges are judged when somebody is within them. @throws MeshError address-refused */
export function checkAddresses(
  addresses: readonly string[],
  allowed: readonly AddressRange[] = [],
): void {
  const site = { allowed: toAddressSet(allowed) };
  const single = addresses.filter((text) => !text.includes('/'));
  for (const address of single) toSidecarAddress(address, site);
}
