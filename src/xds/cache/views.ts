// What a client gets that asks for everything, where that differs from client to client: a part of
// each type, found when a client first asks for all of it, and then kept up at the cost of changes.
import type { Resource, ResourceRef, ResourceSet, Snapshot } from '../resource.js';
import { ResourceTree } from '../resource-tree.js';
import { claimBytes } from '../wire-size.js';

/** Whether somebody who asks for everything gets that resource. */
export type InWildcard = (resource: ResourceRef) => boolean;

interface Part {
  /** Of which it is a part. */
  readonly whole: ReadonlyMap<string, Resource>;
  readonly tree: ResourceTree;
  readonly claimBytes: number;
}

/** A set of which a wildcard gets a part. */
class PartialSet implements ResourceSet {
  readonly resources: ReadonlyMap<string, Resource>;
  readonly version: string;
  readonly versionGiven?: true;
  readonly shortestTtlMs: number | undefined;
  readonly #find: () => Part;
  #part: Part | undefined;

  constructor(set: ResourceSet, find: () => Part) {
    this.resources = set.resources;
    this.version = set.version;
    if (set.versionGiven === true) this.versionGiven = true;
    this.shortestTtlMs = set.shortestTtlMs;
    this.#find = find;
  }

  get wildcard(): ReadonlyMap<string, Resource> {
    return this.#known.tree;
  }

  get claimBytes(): number {
    return this.#known.claimBytes;
  }

  get #known(): Part {
    this.#part ??= this.#find();
    return this.#part;
  }
}

/** One stream's. */
export class View {
  readonly #inWildcard: InWildcard;
  readonly #sets = new Map<string, { readonly of: ResourceSet; readonly set: ResourceSet }>();
  /** By type, the part that was found last. */
  readonly #parts = new Map<string, Part>();

  constructor(inWildcard: InWildcard) {
    this.#inWildcard = inWildcard;
  }

  /** The snapshot as this stream gets it. */
  of(snapshot: Snapshot): Snapshot {
    return new Map([...snapshot].map(([typeUrl, set]) => [typeUrl, this.#setOf(typeUrl, set)]));
  }

  #setOf(typeUrl: string, of: ResourceSet): ResourceSet {
    const known = this.#sets.get(typeUrl);
    if (known?.of === of) return known.set;
    const set = new PartialSet(of, () => this.#find(typeUrl, of.resources));
    this.#sets.set(typeUrl, { of, set });
    return set;
  }

  #find(typeUrl: string, whole: ReadonlyMap<string, Resource>): Part {
    const before = this.#parts.get(typeUrl);
    let { tree, claimBytes: bytes } = before ?? { tree: ResourceTree.EMPTY, claimBytes: 0 };
    const since = sinceOf(whole, before?.whole);
    const drop = (name: string): void => {
      const resource = tree.get(name);
      if (resource === undefined) return;
      bytes -= claimBytes(resource);
      tree = tree.without(name);
    };
    for (const name of since.removed) drop(name);
    for (const resource of since.changed) {
      drop(resource.name);
      if (!this.#inWildcard({ typeUrl, name: resource.name })) continue;
      bytes += claimBytes(resource);
      tree = tree.with(resource);
    }
    const part = { whole, tree, claimBytes: bytes };
    this.#parts.set(typeUrl, part);
    return part;
  }
}

function sinceOf(
  whole: ReadonlyMap<string, Resource>,
  before: ReadonlyMap<string, Resource> | undefined,
): { readonly changed: Iterable<Resource>; readonly removed: Iterable<string> } {
  if (!(whole instanceof ResourceTree)) return { changed: whole.values(), removed: [] };
  return whole.since(before instanceof ResourceTree ? before : ResourceTree.EMPTY);
}
