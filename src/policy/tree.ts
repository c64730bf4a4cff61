// A mesh file as data that remembers where each thing stands: what reading yields and merging
// joins.
import type { SourceRef } from '../base/index.js';

/** Keys and list indexes from the document's root. */
export type Path = readonly (string | number)[];

export type Tree = MapTree | ListTree | ScalarTree;

export interface MapTree {
  readonly kind: 'map';
  readonly source: SourceRef;
  readonly entries: ReadonlyMap<string, Entry>;
}

export interface ListTree {
  readonly kind: 'list';
  readonly source: SourceRef;
  readonly items: readonly Tree[];
}

export interface ScalarTree {
  readonly kind: 'scalar';
  readonly source: SourceRef;
  readonly value: unknown;
}

/** A map's value, with the place of its key: problems point at the key. */
export interface Entry {
  readonly source: SourceRef;
  readonly value: Tree;
}

/** `services.payments/ledger.ports.8080.allow[0].from`: how messages name a setting. */
export function formatPath(path: Path): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`))
    .join('');
}

/** The tree as plain data, without places. Maps have no prototype. */
export function toPlain(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'list') return tree.items.map(toPlain);
  const plain: Record<string, unknown> = Object.create(null);
  for (const [key, entry] of tree.entries) plain[key] = toPlain(entry.value);
  return plain;
}

/** Where `path` stands; for what was never written, the place of the nearest thing around it. */
export function placeAt(tree: Tree, path: Path): SourceRef {
  let here: Tree = tree;
  let place = tree.source;
  for (const part of path) {
    const next = step(here, part);
    if (next === undefined) break;
    here = next.value;
    place = next.source;
  }
  return place;
}

/** What stands at `path`, if anything does. */
export function treeAt(tree: Tree, path: Path): Tree | undefined {
  let here: Tree | undefined = tree;
  for (const part of path) {
    if (here === undefined) break;
    here = step(here, part)?.value;
  }
  return here;
}

/** What is written at `path`, as plain data; undefined where nothing is. */
export function valueAt(tree: Tree, path: Path): unknown {
  const found = treeAt(tree, path);
  return found === undefined ? undefined : toPlain(found);
}

function step(tree: Tree, part: string | number): Entry | undefined {
  if (tree.kind === 'map') return tree.entries.get(String(part));
  if (tree.kind !== 'list' || typeof part !== 'number') return undefined;
  const item = tree.items[part];
  return item === undefined ? undefined : { source: item.source, value: item };
}

/** The entries of the list at `path`; none where there is no list. */
export function itemsAt(tree: Tree, path: Path): Iterable<[number, Tree]> {
  const found = treeAt(tree, path);
  return found?.kind === 'list' ? found.items.entries() : [];
}
