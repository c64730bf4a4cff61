// What a session costs the server for its client's sake alone: the names that it asked for, what it
// says that it has, its words when it rejected something. What the snapshot holds is shared by all
// and not counted. An estimate of memory, for whoever bounds what one client may take.
import { ResourceTree } from '../resource-tree.js';
import type { Held, Parked, Session, TypeState } from '../state.js';
import type { Subscription } from '../subscription.js';
import { claimBytes, namesBytes } from '../wire-size.js';

/** Of a name in a set, beside its characters: the string's head, and its place in two sets. */
const NAME_BYTES = 128;
/** Of what a client says that it has, beside the characters of name and version. */
const CLAIM_BYTES = 192;
/** Of the state of one type. */
const TYPE_BYTES = 1_024;

// By the object counted: a step replaces those that it changes, and no others.
const ofSubscriptions = new WeakMap<Subscription, number>();
const ofHeld = new WeakMap<ReadonlyMap<string, Held>, number>();
const ofParked = new WeakMap<ReadonlyMap<string, Parked>, number>();

/** Bytes that the session keeps for its client. */
export function keptBytes({ types }: Session): number {
  let bytes = 0;
  for (const type of types) bytes += TYPE_BYTES + bytesOf(type);
  return bytes;
}

function bytesOf({ subscription, held, parked, typeUrl }: TypeState): number {
  const asked = count(ofSubscriptions, subscription, askedBytes);
  const claimed = held.size === 0 ? 0 : count(ofHeld, held, claimedBytes);
  const said = parked.size === 0 ? 0 : count(ofParked, parked, saidBytes);
  return typeUrl.length + asked + claimed + said;
}

function count<T extends object>(known: WeakMap<T, number>, of: T, toBytes: (of: T) => number) {
  const before = known.get(of);
  if (before !== undefined) return before;
  const bytes = toBytes(of);
  known.set(of, bytes);
  return bytes;
}

function askedBytes({ names }: Subscription): number {
  return namesBytes(names) + names.size * NAME_BYTES;
}

/** What is a resource of ours is shared. */
function claimedBytes(held: ReadonlyMap<string, Held>): number {
  if (held instanceof ResourceTree) return 0;
  let bytes = 0;
  for (const [name, one] of held) {
    if ('value' in one) continue;
    bytes += claimBytes({ name, version: one.version }) + CLAIM_BYTES;
  }
  return bytes;
}

/** One rejection is one text, however many names it is of. */
function saidBytes(parked: ReadonlyMap<string, Parked>): number {
  const texts = new Set([...parked.values()].map(({ message }) => message));
  return [...texts].reduce((sum, text) => sum + text.length, parked.size * NAME_BYTES);
}
