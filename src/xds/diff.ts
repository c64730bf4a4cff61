// What a client lacks: its subscription and what it holds, against the snapshot. Both variants
// share this; they differ in how it is sent (SotW: the whole of `next`; delta: `changed` and
// `removed`).
import { collectionOf, isGlob } from './glob.js';
import { EMPTY_SET, type Resource, type ResourceSet } from './resource.js';
import { ResourceTree } from './resource-tree.js';
import { type Held, NO_NAMES, REMOVED, type TypeState } from './state.js';
import { covers } from './subscription.js';

export interface Diff {
  /** The resources of the snapshot that the subscription covers. */
  readonly desired: ResourceSet['resources'];
  /** Resources to send for their own sake: new content, or owed to a new subscription. */
  readonly changed: readonly Resource[];
  /** Last good resources of names that are owed an answer while newer content is held back. */
  readonly again: readonly Resource[];
  /** Names that the client may hold and that are gone. */
  readonly removed: readonly string[];
  /**
   * Like `removed`, but their removal was rejected once: sent again only along with something else.
   */
  readonly removedAgain: readonly string[];
  /** Names asked for that neither exist nor are held. */
  readonly missing: readonly string[];
  /**
   * Resources that the client rejected in just that version, or that refer to what it hasn't got.
   */
  readonly heldBack: readonly Resource[];
  /** Some of `heldBack` waits for what it refers to. */
  readonly waiting: boolean;
  /** Names that neither exist nor may be said to be gone yet; held ones are kept. */
  readonly awaited: readonly string[];
}

const NONE: readonly string[] = [];

const NO_DIFF: Omit<Diff, 'desired'> = {
  changed: [],
  again: [],
  removed: [],
  removedAgain: [],
  missing: [],
  heldBack: [],
  waiting: false,
  awaited: [],
};

export interface DiffOptions {
  readonly type: TypeState;
  readonly set: ResourceSet | undefined;
  /** Whether the client has what a resource refers to. */
  readonly isUsable: (resource: Resource) => boolean;
  /** Names about which nothing is said while they don't exist. */
  readonly awaited?: ReadonlySet<string> | undefined;
}

export function computeDiff(options: DiffOptions): Diff {
  const { type, set = EMPTY_SET, isUsable, awaited = NO_NAMES } = options;
  const desired = select(type, set);
  const plain = type.parked.size === 0 && type.owed.size === 0;
  if (desired === type.held && plain) return { ...NO_DIFF, desired };
  const { held } = type;
  const since =
    plain && awaited.size === 0 && desired instanceof ResourceTree && held instanceof ResourceTree
      ? desired.since(held)
      : undefined;
  const changed: Resource[] = [];
  const again: Resource[] = [];
  const heldBack: Resource[] = [];
  let waiting = false;
  for (const resource of since?.changed ?? desired.values()) {
    const { name, version } = resource;
    const parked = type.parked.get(name);
    if (parked?.version === version && !type.trying.has(name)) {
      heldBack.push(resource);
      const good = lastGood(type, name);
      if (good !== undefined && type.owed.has(name)) again.push(good);
    } else if (
      // A rejected response may have been taken in part: what replaces its content is always sent.
      parked !== undefined ||
      type.held.get(name)?.version !== version ||
      type.owed.has(name)
    ) {
      if (resource.references === undefined || isUsable(resource)) {
        changed.push(resource);
        continue;
      }
      waiting = true;
      heldBack.push(resource);
      const good = lastGood(type, name);
      if (good !== undefined && type.owed.has(name)) again.push(good);
    }
  }
  const gone = since ?? findRemoved(type, desired);
  const removedAgain = 'removedAgain' in gone ? gone.removedAgain : NONE;
  const missing = findMissing(type, desired);
  const { removed } = gone;
  const found = { desired, changed, again, heldBack, waiting, removedAgain };
  if (awaited.size === 0) return { ...found, removed, missing, awaited: NONE };
  const isAwaited = (name: string): boolean => awaited.has(name);
  return {
    ...found,
    removed: removed.filter((name) => !isAwaited(name)),
    missing: missing.filter((name) => !isAwaited(name)),
    awaited: [...removed, ...missing].filter(isAwaited),
  };
}

/** Names asked for that are nowhere; a glob collection is missing where it has no members. */
function findMissing(type: TypeState, desired: ResourceSet['resources']): readonly string[] {
  const { owed, held, subscription } = type;
  if (owed.size === 0) return NONE;
  const missing = [...owed].filter((name) => !desired.has(name) && !held.has(name));
  if (subscription.globs.size === 0) return missing;
  const filled = new Set([...desired.keys(), ...held.keys()].map(collectionOf));
  return missing.filter((name) => !isGlob(name) || !filled.has(collectionOf(name)));
}

function select(type: TypeState, set: ResourceSet): ResourceSet['resources'] {
  const { names, wildcard, globs } = type.subscription;
  if (wildcard && set.wildcard === undefined) return set.resources;
  const base = wildcard ? set.wildcard : undefined;
  if (names.size === 0) return base ?? EMPTY_SET.resources;
  // Asked for by name, yet all there is: shared like a wildcard's, and its version is known.
  if (coversAll(names, set)) return set.resources;
  const selected = new Map<string, Resource>(base);
  if (globs.size > 0) {
    for (const [name, resource] of set.resources) {
      if (globs.has(collectionOf(name))) selected.set(name, resource);
    }
  }
  for (const name of names) {
    const resource = set.resources.get(name);
    if (resource !== undefined) selected.set(name, resource);
  }
  return selected;
}

function coversAll(names: ReadonlySet<string>, set: ResourceSet): boolean {
  if (names.size < set.resources.size) return false;
  for (const name of set.resources.keys()) if (!names.has(name)) return false;
  return true;
}

function findRemoved(
  type: TypeState,
  desired: ResourceSet['resources'],
): Pick<Diff, 'removed' | 'removedAgain'> {
  const removed: string[] = [];
  const removedAgain: string[] = [];
  for (const name of type.held.keys()) {
    if (desired.has(name) || !covers(type.subscription, name)) continue;
    const again = type.parked.get(name)?.version === REMOVED && !type.owed.has(name);
    (again ? removedAgain : removed).push(name);
  }
  for (const [name, { version }] of type.parked) {
    if (desired.has(name) || type.held.has(name)) continue;
    (version === REMOVED ? removedAgain : removed).push(name);
  }
  return { removed, removedAgain };
}

/** The resource that the client took before it rejected a newer one, where we have its bytes. */
function lastGood(type: TypeState, name: string): Resource | undefined {
  const held = type.held.get(name);
  return held !== undefined && 'value' in held ? held : undefined;
}

/**
 * What the client holds once it has taken what is in `diff`; `kept` are names whose removal waits.
 * The snapshot's own map where nothing is held back, so that equal state is shared and not copied.
 */
export function toNext(
  type: TypeState,
  diff: Diff,
  kept: readonly string[],
): ReadonlyMap<string, Held> {
  const { awaited } = diff;
  if (diff.heldBack.length + kept.length + awaited.length === 0) return diff.desired;
  const next = new Map<string, Held>(diff.desired);
  for (const { name } of diff.heldBack) {
    const held = type.held.get(name);
    if (held === undefined) next.delete(name);
    else next.set(name, held);
  }
  for (const name of [...kept, ...awaited]) {
    const held = type.held.get(name);
    if (held !== undefined) next.set(name, held);
  }
  return next;
}
