// Addresses of the networks that we add. A sidecar's own address there must be known before
// anything runs, since its bootstrap names it; and Docker's own pools end after some 30 networks.
import { createHash } from 'node:crypto';
import { MeshError } from '../../base/index.js';

/** RFC 2544 keeps it for measurements, so that neither a LAN nor a VPN should use it. */
export const DEFAULT_SUBNETS = '198.18.0.0/15';

export interface Subnet {
  readonly subnet: string;
  readonly gateway: string;
  /** Docker hands out none but those of `applications`. */
  readonly sidecar: string;
  readonly applications: string;
}

/** Of each network: a /26, of which the upper half is for the application and its replicas. */
const SIZE = 64;
/** Networks of one project lie together, so that two projects on one machine seldom meet. */
const BLOCK = 16;
const CIDR = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/;

interface Range {
  readonly base: number;
  /** How many networks fit. */
  readonly count: number;
}

/** A range of IPv4 addresses in which at least one network fits; undefined for other text. */
export function trySubnets(text: string): Range | undefined {
  const parts = CIDR.exec(text)?.slice(1).map(Number);
  if (parts === undefined) return undefined;
  const [bits = 0, ...bytes] = [parts.at(-1), ...parts.slice(0, 4)];
  if (bytes.some((byte = 0) => byte > 255) || bits < 8 || bits > 26) return undefined;
  const base = bytes.reduce<number>((sum, byte = 0) => sum * 256 + byte, 0);
  const size = 2 ** (32 - bits);
  return base % size === 0 ? { base, count: size / SIZE } : undefined;
}

export interface SubnetsWanted {
  readonly project: string;
  /** Different from each other. */
  readonly keys: readonly string[];
  /** As `trySubnets` takes it. */
  readonly range: string;
}

/**
 * One for each key. A place is a hash of project and key, and where it is taken the next one that
 * is free, in the order of keys: one more key moves few others.
 * @throws MeshError usage: the range is none, or too small
 */
export function assignSubnets({ project, keys, range }: SubnetsWanted): Map<string, Subnet> {
  const parsed = trySubnets(range);
  if (parsed === undefined) {
    throw new MeshError('usage', `expected a range for subnets but got "${range}"`, {
      variant: 'subnets',
    });
  }
  const { base, count } = parsed;
  if (keys.length > count) {
    throw new MeshError('usage', `expected ${keys.length} networks in ${range} but got ${count}`, {
      variant: 'subnets',
    });
  }
  const blocks = Math.max(1, Math.floor(count / BLOCK));
  const first = (hash(project) % blocks) * BLOCK;
  const taken = new Set<number>();
  const assigned = new Map<string, Subnet>();
  for (const key of [...keys].sort()) {
    const place = freePlace({ start: hash(`${project}/${key}`), first, count, taken });
    taken.add(place);
    assigned.set(key, toSubnet(base + place * SIZE));
  }
  return assigned;
}

interface Places {
  readonly start: number;
  readonly first: number;
  readonly count: number;
  readonly taken: ReadonlySet<number>;
}

/** In the project's own block, round and round; then onwards from its end. */
function freePlace({ start, first, count, taken }: Places): number {
  const size = Math.min(BLOCK, count);
  for (let step = 0; step < size; step++) {
    const place = first + ((start + step) % size);
    if (!taken.has(place)) return place;
  }
  let place = (first + size) % count;
  while (taken.has(place)) place = (place + 1) % count;
  return place;
}

function hash(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0);
}

function toSubnet(base: number): Subnet {
  return {
    subnet: `${toAddress(base)}/26`,
    gateway: toAddress(base + 1),
    sidecar: toAddress(base + 2),
    applications: `${toAddress(base + SIZE / 2)}/27`,
  };
}

function toAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
