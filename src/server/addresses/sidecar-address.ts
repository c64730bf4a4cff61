// What can be a sidecar's address: whatever a sidecar says is handed to its callers, who connect to
// it. So it must be no address that means something else at each of them (loopback, link-local), or
// that leads somewhere else (a translated one, a cloud's metadata service, this server).
import { MeshError } from '../../base/index.js';
import { type AddressSet, toAddressSet, tryAddressRange } from './address-range.js';
import { tryIpAddress } from './ip-address.js';

/** Where it is judged. */
export interface AddressSite {
  /** Addresses that the operator allows all the same. */
  readonly allowed?: AddressSet | undefined;
  /** Where the sidecar connects from; undefined: from this machine, or not known. */
  readonly peer?: string | undefined;
  /** Whether an address is one of this machine. */
  readonly isOwn?: ((address: string) => boolean) | undefined;
}

/** What no single sidecar can be at, whatever an operator allows. */
const NOBODYS = toKinds([
  ['an unspecified one', ['0.0.0.0/8', '::/128']],
  ['a multicast one', ['224.0.0.0/4', 'ff00::/8']],
  ['a reserved or broadcast one', ['240.0.0.0/4']],
]);

/** What means something else, or leads somewhere else, on a caller's machine. */
const ELSEWHERE = toKinds([
  ['a link-local one', ['169.254.0.0/16', 'fe80::/10']],
  [
    "a cloud's metadata service",
    ['100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32', 'fd00:ec2::254/128'],
  ],
  // NAT64, IPv4-compatible and -translated, 6to4 and Teredo: each stands for an IPv4 address.
  ['a translated one', ['64:ff9b::/96', '64:ff9b:1::/48', '::/96', '::ffff:0:0:0/96']],
  ['a translated one', ['2002::/16', '2001::/32']],
  ['one that discards', ['100::/64']],
]);

const LOOPBACK = toSet(['127.0.0.0/8', '::1/128']);

/**
 * The address in its one spelling.
 * @throws MeshError request-invalid where the text is none, address-refused where it can't be a
 * sidecar's
 */
export function toSidecarAddress(text: unknown, site: AddressSite = {}): string {
  const address = tryIpAddress(text);
  if (address === undefined) {
    const place = 'node.metadata.countersign.address';
    throw new MeshError('request-invalid', `expected one IP address of this node in ${place}`);
  }
  const kind = toRefusedKind(address, site);
  if (kind === undefined) return address;
  const message = `expected an address that a sidecar can have but got ${address}, ${kind}`;
  throw new MeshError('address-refused', message, { variant: 'kind' });
}

function toRefusedKind(address: string, { allowed, peer, isOwn }: AddressSite): string | undefined {
  const nobodys = kindOf(address, NOBODYS);
  if (nobodys !== undefined) return nobodys;
  if (allowed?.has(address) === true) return undefined;
  const isHere = peer === undefined || LOOPBACK.has(peer) || isOwn?.(peer) === true;
  // What comes from this machine may be at any of its addresses.
  if (LOOPBACK.has(address)) return isHere ? undefined : 'a loopback one of another machine';
  if (!isHere && isOwn?.(address) === true) return "one of this server's machine";
  return kindOf(address, ELSEWHERE);
}

interface Kind {
  readonly words: string;
  readonly set: AddressSet;
}

function toKinds(texts: readonly (readonly [string, readonly string[]])[]): readonly Kind[] {
  return texts.map(([words, ranges]) => ({ words, set: toSet(ranges) }));
}

function kindOf(address: string, kinds: readonly Kind[]): string | undefined {
  return kinds.find(({ set }) => set.has(address))?.words;
}

function toSet(ranges: readonly string[]): AddressSet {
  return toAddressSet(ranges.map(tryAddressRange).filter((range) => range !== undefined));
}
