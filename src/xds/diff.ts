// What a client lacks: its subscription and what it holds, against the snapshot. Both variants
// share this; they differ in how it is sent (SotW: the whole of `next`; delta: `changed` and
// `removed`).
import { EMPTY_SET, type Resource, type ResourceSet } from './resource.js';
import { type Held, REMOVED, type TypeState } from './state.js';
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
}

const NO_DIFF: Omit<Diff, 'desired'> = {
  changed: [],
  again: [],
  removed: [],
  removedAgain: [],
  missing: [],
  heldBack: [],
  waiting: false,
};

export interface DiffOptions {
  readonly type: TypeState;
  readonly set: ResourceSet | undefined;
  /** Whether the client has what a resource refers to. */
  readonly isUsable: (resource: Resource) => boolean;
}

export function computeDiff({ type, set = EMPTY_SET, isUsable }: DiffOptions): Diff {
  const desired = select(type, set);
  if (desired === type.held && type.parked.size === 0 && type.owed.size === 0) {
    return { ...NO_DIFF, desired };
  }
  const changed: Resource[] = [];
  const again: Resource[] = [];
  const heldBack: Resource[] = [];
  let waiting = false;
  for (const resource of desired.values()) {
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
  const { removed, removedAgain } = findRemoved(type, desired);
  const missing = [...type.owed].filter((name) => !desired.has(name) && !type.held.has(name));
  return { desired, changed, again, removed, removedAgain, missing, heldBack, waiting };
}

function select(type: TypeState, set: ResourceSet): ResourceSet['resources'] {
  const { subscription } = type;
  if (subscription.wildcard) return set.resources;
  const { names } = subscription;
  if (names.size === 0) return EMPTY_SET.resources;
  // Asked for by name, yet all there is: shared like a wildcard's, and its version is known.
  if (coversAll(names, set)) return set.resources;
  const selected = new Map<string, Resource>();
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
  if (diff.heldBack.length === 0 && kept.length === 0) return diff.desired;
  const next = new Map<string, Held>(diff.desired);
  for (const { name } of diff.heldBack) {
    const held = type.held.get(name);
    if (held === undefined) next.delete(name);
    else next.set(name, held);
  }
  for (const name of kept) {
    const held = type.held.get(name);
    if (held !== undefined) next.set(name, held);
  }
  return next;
}
