// What a stream asks of one type: everything (`*`), names, or both. Applying a request yields which
// names are owed an answer, whether or not their content is new to the client. Rules: xDS protocol,
// "How the client specifies what resources to return", "Unsubscribing From Resources", "Subscribing
// to Resources" (delta).
import { collectionOf, isGlob, toGlobs } from './glob.js';
import type { Interest } from './request.js';
import type { TypeTraits } from './type-urls.js';

export const WILDCARD = '*';
const NO_GLOBS: ReadonlySet<string> = new Set();

export interface Subscription {
  readonly wildcard: boolean;
  readonly names: ReadonlySet<string>;
  /** Those of `names` that are glob collections, in their canonical spelling. */
  readonly globs: ReadonlySet<string>;
  /** Names (or `*`) were given once: a request without names no longer means everything. */
  readonly explicit: boolean;
}

export interface SubscriptionChange {
  /** From now on. */
  readonly subscription: Subscription;
  /** Names that must be answered. */
  readonly owed: readonly string[];
  /** The wildcard was asked for (again): an answer is due, even one without resources. */
  readonly wildcardOwed: boolean;
  /**
   * Something was given up: what the client holds beyond the subscription no longer concerns us.
   */
  readonly narrowed: boolean;
}

/** Of a client that has asked for nothing yet. */
export const NO_SUBSCRIPTION: Subscription = {
  wildcard: false,
  names: new Set(),
  globs: NO_GLOBS,
  explicit: false,
};

export interface ApplyOptions {
  readonly interest: Interest;
  readonly traits: TypeTraits;
  /** The stream's first request of this type. */
  readonly first: boolean;
}

/** What a request makes of the subscription. */
export function applyInterest(before: Subscription, options: ApplyOptions): SubscriptionChange {
  const { interest, traits } = options;
  if (interest.variant === 'sotw') return applyNames(before, interest.names, traits);
  const { subscribe, unsubscribe } = interest;
  if (subscribe.length > 0 || unsubscribe.length > 0) {
    return applyDelta(before, { subscribe, unsubscribe });
  }
  return options.first && traits.wildcard ? toWildcard(before) : unchanged(before);
}

function unchanged(subscription: Subscription): SubscriptionChange {
  return { subscription, owed: [], wildcardOwed: false, narrowed: false };
}

/** The legacy form of `*`. */
function toWildcard(before: Subscription): SubscriptionChange {
  const subscription = { ...before, wildcard: true };
  return { subscription, owed: [], wildcardOwed: true, narrowed: false };
}

/** SotW: the list is the whole subscription. */
function applyNames(
  before: Subscription,
  list: readonly string[],
  traits: TypeTraits,
): SubscriptionChange {
  if (list.length === 0 && !before.explicit) {
    return before.wildcard || !traits.wildcard ? unchanged(before) : toWildcard(before);
  }
  const names = new Set(list);
  const wildcard = names.delete(WILDCARD);
  const owed = [...names].filter((name) => !before.names.has(name));
  const isSame = owed.length === 0 && names.size === before.names.size;
  if (isSame && wildcard === before.wildcard && before.explicit) return unchanged(before);
  return {
    subscription: { wildcard, names, globs: toGlobs(names), explicit: true },
    owed,
    wildcardOwed: wildcard && !before.wildcard,
    narrowed: (before.wildcard && !wildcard) || names.size < before.names.size + owed.length,
  };
}

interface DeltaLists {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
}

function applyDelta(before: Subscription, lists: DeltaLists): SubscriptionChange {
  const names = new Set(before.names);
  const owed = new Set<string>();
  let { wildcard } = before;
  let narrowed = false;
  let wildcardOwed = false;
  for (const name of lists.unsubscribe) {
    if (name === WILDCARD) {
      narrowed ||= wildcard;
      wildcard = false;
    } else if (names.delete(name)) {
      narrowed = true;
      // The client can't know whether the wildcard still covers that name, so it gets an answer.
      if (wildcard) owed.add(name);
    }
  }
  if (!wildcard) owed.clear();
  for (const name of lists.subscribe) {
    if (name === WILDCARD) {
      wildcard = true;
      wildcardOwed = true;
    } else {
      names.add(name);
      // Also a name that it has: the client may have forgotten the resource.
      owed.add(name);
    }
  }
  const explicit = before.explicit || lists.subscribe.length > 0;
  const globs = lists.subscribe.some(isGlob) || before.globs.size > 0 ? toGlobs(names) : NO_GLOBS;
  const subscription = { wildcard, names, globs, explicit };
  return { subscription, owed: [...owed], wildcardOwed, narrowed };
}

/** Whether the subscription covers that name. */
export function covers({ wildcard, names, globs }: Subscription, name: string): boolean {
  return wildcard || names.has(name) || (globs.size > 0 && globs.has(collectionOf(name)));
}
