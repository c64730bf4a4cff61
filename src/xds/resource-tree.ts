// A map of resources by name that is never changed, only replaced, at the cost of what changes: a
// tree over the bits of a name's hash, in which two versions share all that is equal. So a cache
// of a hundred thousand resources can hand out a new snapshot after each change, a client can hold
// an old one, and how the two differ is found without looking at the rest. As a Map does, it goes
// through its resources in the order in which their names came.
import type { Resource } from './resource.js';

const BITS = 5;
const HASH_BITS = 32;

/** Children by the next bits of their hash; below the last bits, a plain list. */
class Branch {
  readonly bitmap: number;
  readonly children: readonly Child[];

  constructor(bitmap: number, children: readonly Child[]) {
    this.bitmap = bitmap;
    this.children = children;
  }
}

interface Leaf {
  readonly resource: Resource;
  /** When its name came: later ones have more. */
  readonly order: number;
}

type Child = Branch | Leaf;

const EMPTY_BRANCH = new Branch(0, []);

export interface TreeDifference {
  /** In the later tree, and not the very same resource in the earlier one. */
  readonly changed: readonly Resource[];
  /** Names that only the earlier tree has. */
  readonly removed: readonly string[];
}

export class ResourceTree implements ReadonlyMap<string, Resource> {
  static readonly EMPTY: ResourceTree = new ResourceTree(EMPTY_BRANCH, { size: 0, order: 0 });

  readonly size: number;
  readonly #root: Branch;
  /** Of the next name. */
  readonly #order: number;
  /** All of it in order, once somebody has asked. */
  #sorted: readonly Resource[] | undefined;

  private constructor(root: Branch, { size, order }: { size: number; order: number }) {
    this.#root = root;
    this.size = size;
    this.#order = order;
  }

  get(name: string): Resource | undefined {
    return this.#find(name)?.resource;
  }

  #find(name: string): Leaf | undefined {
    const hash = hashOf(name);
    let branch = this.#root;
    for (let shift = 0; shift < HASH_BITS; shift += BITS) {
      const child = childAt(branch, bitOf(hash, shift));
      if (child === undefined) return undefined;
      if (!(child instanceof Branch)) return child.resource.name === name ? child : undefined;
      branch = child;
    }
    return listOf(branch).find(({ resource }) => resource.name === name);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** The tree with that resource, in place of one of its name. */
  with(resource: Resource): ResourceTree {
    const before = this.#find(resource.name);
    const leaf = { resource, order: before?.order ?? this.#order };
    const root = put(this.#root, leaf, startOf(leaf));
    return new ResourceTree(root, {
      size: before === undefined ? this.size + 1 : this.size,
      order: before === undefined ? this.#order + 1 : this.#order,
    });
  }

  /** The tree without that name; the same one where it isn't there. */
  without(name: string): ResourceTree {
    if (!this.has(name)) return this;
    const left = take(this.#root, name, { hash: hashOf(name), shift: 0 }) ?? EMPTY_BRANCH;
    const root = left instanceof Branch ? left : put(EMPTY_BRANCH, left, startOf(left));
    return new ResourceTree(root, { size: this.size - 1, order: this.#order });
  }

  /** How this tree differs from an earlier one. */
  since(earlier: ResourceTree): TreeDifference {
    const found: Found = { changed: [], removed: [] };
    compare(earlier.#root, this.#root, found);
    return { changed: inOrder(found.changed), removed: found.removed };
  }

  values(): IterableIterator<Resource, undefined> {
    this.#sorted ??= inOrder(membersOf(this.#root));
    return this.#sorted.values();
  }

  *keys(): Generator<string, undefined> {
    for (const { name } of this.values()) yield name;
  }

  *entries(): Generator<[string, Resource], undefined> {
    for (const resource of this.values()) yield [resource.name, resource];
  }

  [Symbol.iterator](): Generator<[string, Resource], undefined> {
    return this.entries();
  }

  forEach(
    callback: (resource: Resource, name: string, map: ReadonlyMap<string, Resource>) => void,
  ): void {
    for (const resource of this.values()) callback(resource, resource.name, this);
  }
}

interface At {
  readonly hash: number;
  readonly shift: number;
}

const startOf = ({ resource }: Leaf): At => ({ hash: hashOf(resource.name), shift: 0 });
const below = ({ hash, shift }: At): At => ({ hash, shift: shift + BITS });

/** FNV-1a, and a last mixing, since the low bits count most. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

function bitOf(hash: number, shift: number): number {
  return 1 << ((hash >>> shift) & 31);
}

/** Where the child of that bit is among the children. */
function indexOf(bitmap: number, bit: number): number {
  let lower = bitmap & (bit - 1);
  lower -= (lower >>> 1) & 0x55555555;
  lower = (lower & 0x33333333) + ((lower >>> 2) & 0x33333333);
  return Math.imul((lower + (lower >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function childAt({ bitmap, children }: Branch, bit: number): Child | undefined {
  return (bitmap & bit) === 0 ? undefined : children[indexOf(bitmap, bit)];
}

/** Of a branch below the last bits: names of one hash. */
function listOf({ children }: Branch): readonly Leaf[] {
  return children.flatMap((child) => (child instanceof Branch ? [] : [child]));
}

function othersOf(branch: Branch, name: string): readonly Leaf[] {
  return listOf(branch).filter(({ resource }) => resource.name !== name);
}

function put(branch: Branch, leaf: Leaf, at: At): Branch {
  const { name } = leaf.resource;
  if (at.shift >= HASH_BITS) {
    return new Branch(0, [...othersOf(branch, name), leaf]);
  }
  const bit = bitOf(at.hash, at.shift);
  const index = indexOf(branch.bitmap, bit);
  const children = branch.children.slice();
  const child = childAt(branch, bit);
  if (child === undefined) children.splice(index, 0, leaf);
  else if (child instanceof Branch) children[index] = put(child, leaf, below(at));
  else if (child.resource.name === name) children[index] = leaf;
  else {
    const alone = put(EMPTY_BRANCH, child, below({ ...at, hash: startOf(child).hash }));
    children[index] = put(alone, leaf, below(at));
  }
  return new Branch(branch.bitmap | bit, children);
}

/** What is left of a branch that has the name: a branch, its only resource, or nothing. */
function take(branch: Branch, name: string, at: At): Child | undefined {
  if (at.shift >= HASH_BITS) {
    const others = othersOf(branch, name);
    return others.length === 1 ? others[0] : new Branch(0, others);
  }
  const bit = bitOf(at.hash, at.shift);
  const index = indexOf(branch.bitmap, bit);
  const child = branch.children[index];
  const left = child instanceof Branch ? take(child, name, below(at)) : undefined;
  const children = branch.children.slice();
  if (left !== undefined) children[index] = left;
  else children.splice(index, 1);
  const [only] = children;
  if (only === undefined) return undefined;
  if (children.length === 1 && !(only instanceof Branch)) return only;
  return new Branch(left === undefined ? branch.bitmap & ~bit : branch.bitmap, children);
}

interface Found {
  readonly changed: Leaf[];
  readonly removed: string[];
}

/** Adds how two subtrees of one place differ. */
function compare(earlier: Child | undefined, later: Child | undefined, found: Found): void {
  if (earlier === later) return;
  if (
    earlier instanceof Branch &&
    later instanceof Branch &&
    (earlier.bitmap & later.bitmap) !== 0
  ) {
    for (let all = earlier.bitmap | later.bitmap; all !== 0; all &= all - 1) {
      const bit = all & -all;
      compare(childAt(earlier, bit), childAt(later, bit), found);
    }
    return;
  }
  // Few: what is in one place only, or of one hash.
  const before = new Map(membersOf(earlier).map(({ resource }) => [resource.name, resource]));
  for (const leaf of membersOf(later)) {
    if (before.get(leaf.resource.name) !== leaf.resource) found.changed.push(leaf);
    before.delete(leaf.resource.name);
  }
  found.removed.push(...before.keys());
}

function membersOf(child: Child | undefined): readonly Leaf[] {
  if (child === undefined) return [];
  return child instanceof Branch ? child.children.flatMap(membersOf) : [child];
}

function inOrder(leaves: readonly Leaf[]): readonly Resource[] {
  return leaves.toSorted((a, b) => a.order - b.order).map(({ resource }) => resource);
}
