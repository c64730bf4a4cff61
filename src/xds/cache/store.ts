// The resources of one type in a linear cache: a value that is never changed, only replaced, at the
// cost of what changes. What a whole set would have to be looked through for, its version and its
// least TTL among it, is carried along.
import type { Resource, ResourceSet } from '../resource.js';
import { ResourceTree } from '../resource-tree.js';
import { addDigest, removeDigest, versionOfSum } from '../version.js';
import { claimBytes } from '../wire-size.js';

export interface Store {
  readonly tree: ResourceTree;
  /** Of the digests of all. */
  readonly sum: bigint;
  readonly claimBytes: number;
  /** How many have which TTL; in a program few are different. */
  readonly ttls: ReadonlyMap<number, number>;
}

export const EMPTY_STORE: Store = {
  tree: ResourceTree.EMPTY,
  sum: 0n,
  claimBytes: 0,
  ttls: new Map(),
};

/** The store with that resource, in place of one of its name. */
export function putIn(store: Store, resource: Resource): Store {
  const { name, ttlMs } = resource;
  const { tree, sum, claimBytes: bytes, ttls } = takeFrom(store, name);
  return {
    tree: tree.with(resource),
    sum: addDigest(sum, name, resource),
    claimBytes: bytes + claimBytes(resource),
    ttls: ttlMs === undefined ? ttls : count(ttls, ttlMs, 1),
  };
}

/** The store without that name; the same one where it isn't there. */
export function takeFrom(store: Store, name: string): Store {
  const resource = store.tree.get(name);
  if (resource === undefined) return store;
  const { ttlMs } = resource;
  return {
    tree: store.tree.without(name),
    sum: removeDigest(store.sum, name, resource),
    claimBytes: store.claimBytes - claimBytes(resource),
    ttls: ttlMs === undefined ? store.ttls : count(store.ttls, ttlMs, -1),
  };
}

function count(
  ttls: ReadonlyMap<number, number>,
  ttlMs: number,
  more: number,
): ReadonlyMap<number, number> {
  const left = (ttls.get(ttlMs) ?? 0) + more;
  const next = new Map(ttls).set(ttlMs, left);
  if (left === 0) next.delete(ttlMs);
  return next;
}

/** What streams are given; `version` replaces the hash over names and versions. */
export function toSet(store: Store, version: string | undefined): ResourceSet {
  const { tree, sum, claimBytes: bytes, ttls } = store;
  return {
    resources: tree,
    version: version ?? versionOfSum(sum),
    claimBytes: bytes,
    ...(version !== undefined && { versionGiven: true }),
    ...(ttls.size > 0 && { shortestTtlMs: Math.min(...ttls.keys()) }),
  };
}
