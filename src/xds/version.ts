// Versions: short hashes of content, so that they are equal across pushes, restarts and replicas.
// The version of a collection is the sum of its members' digests: it doesn't depend on their order,
// and a change of one resource costs one digest, however many there are beside it.
import { hash } from 'node:crypto';

/** Hex digits of a version: 64 bits of SHA-256. */
const VERSION_DIGITS = 16;
const MASK = (1n << BigInt(4 * VERSION_DIGITS)) - 1n;

export function toVersion(content: string | Uint8Array): string {
  return hash('sha256', content, 'hex').slice(0, VERSION_DIGITS);
}

/** What of a resource counts in the version of a collection. */
export interface Versioned {
  readonly version: string;
}

/** Of each resource or claim, so that what stays the same in a collection isn't hashed again. */
const digests = new WeakMap<Versioned, { readonly name: string; readonly digest: bigint }>();

function digestOf(name: string, versioned: Versioned): bigint {
  const known = digests.get(versioned);
  if (known?.name === name) return known.digest;
  const digest = BigInt(`0x${toVersion(JSON.stringify([name, versioned.version]))}`);
  digests.set(versioned, { name, digest });
  return digest;
}

/** The sum of digests with one more. */
export function addDigest(sum: bigint, name: string, versioned: Versioned): bigint {
  return (sum + digestOf(name, versioned)) & MASK;
}

/** The sum of digests without one that is in it. */
export function removeDigest(sum: bigint, name: string, versioned: Versioned): bigint {
  return (sum - digestOf(name, versioned)) & MASK;
}

export function versionOfSum(sum: bigint): string {
  return sum.toString(16).padStart(VERSION_DIGITS, '0');
}

/** Version of a collection: a function of its names and versions, whatever their order. */
export function versionOf(resources: ReadonlyMap<string, Versioned>): string {
  let sum = 0n;
  for (const [name, versioned] of resources) sum = addDigest(sum, name, versioned);
  return versionOfSum(sum);
}
