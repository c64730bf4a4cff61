// What a stream asks of one type: everything (`*`), names, or both. Applying a request says which
// names are owed an answer, whether or not their content is new to the client. Rules: xDS protocol,
// "How the client specifies what resources to return", "Unsubscribing From Resources", "Subscribing
// to Resources" (delta).
import type { Interest } from './request.js';
import type { TypeTraits } from './type-urls.js';

export const WILDCARD = '*';

export interface Subscription {
  wildcard: boolean;
  names: ReadonlySet<string>;
  /** Names (or `*`) were given once: a request without names no longer means everything. */
  explicit: boolean;
}

export interface SubscriptionChange {
  /** Names that must be answered. */
  readonly owed: readonly string[];
  /** The wildcard was asked for (again): an answer is due, even one without resources. */
  readonly wildcardOwed: boolean;
  /**
   * Something was given up: what the client holds beyond the subscription is its own affair now.
   */
  readonly narrowed: boolean;
}

const NO_NAMES: ReadonlySet<string> = new Set();
const UNCHANGED: SubscriptionChange = { owed: [], wildcardOwed: false, narrowed: false };

export function createSubscription(): Subscription {
  return { wildcard: false, names: NO_NAMES, explicit: false };
}

export interface ApplyOptions {
  readonly interest: Interest;
  readonly traits: TypeTraits;
  /** The stream's first request of this type. */
  readonly first: boolean;
}

/** Applies a request to `subscription`, in place. */
export function applyInterest(
  subscription: Subscription,
  options: ApplyOptions,
): SubscriptionChange {
  const { interest } = options;
  if (interest.variant === 'sotw') return applyNames(subscription, interest.names, options.traits);
  const { subscribe, unsubscribe } = interest;
  if (subscribe.length > 0 || unsubscribe.length > 0) {
    return applyDelta(subscription, { subscribe, unsubscribe });
  }
  if (!options.first || !options.traits.wildcard) return UNCHANGED;
  subscription.wildcard = true;
  return { owed: [], wildcardOwed: true, narrowed: false };
}

/** SotW: the list is the whole subscription. */
function applyNames(
  subscription: Subscription,
  list: readonly string[],
  traits: TypeTraits,
): SubscriptionChange {
  const { names: before, wildcard: had } = subscription;
  if (list.length === 0 && !subscription.explicit) {
    if (had || !traits.wildcard) return UNCHANGED;
    subscription.wildcard = true;
    return { owed: [], wildcardOwed: true, narrowed: false };
  }
  subscription.explicit = true;
  const names = new Set(list);
  const wildcard = names.delete(WILDCARD);
  const owed = [...names].filter((name) => !before.has(name));
  subscription.wildcard = wildcard;
  subscription.names = names;
  return {
    owed,
    wildcardOwed: wildcard && !had,
    narrowed: (had && !wildcard) || names.size < before.size + owed.length,
  };
}

interface DeltaLists {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
}

function applyDelta(subscription: Subscription, lists: DeltaLists): SubscriptionChange {
  const names = new Set(subscription.names);
  const owed = new Set<string>();
  let narrowed = false;
  let wildcardOwed = false;
  for (const name of lists.unsubscribe) {
    if (name === WILDCARD) {
      narrowed ||= subscription.wildcard;
      subscription.wildcard = false;
    } else if (names.delete(name)) {
      narrowed = true;
      // The client can't know whether the wildcard still covers that name, so it is told.
      if (subscription.wildcard) owed.add(name);
    }
  }
  if (!subscription.wildcard) owed.clear();
  for (const name of lists.subscribe) {
    subscription.explicit = true;
    if (name === WILDCARD) {
      subscription.wildcard = true;
      wildcardOwed = true;
    } else {
      names.add(name);
      // Also a name that it has: the client may have forgotten the resource.
      owed.add(name);
    }
  }
  subscription.names = names;
  return { owed: [...owed], wildcardOwed, narrowed };
}

/** Whether the subscription covers that name. */
export function covers(subscription: Subscription, name: string): boolean {
  return subscription.wildcard || subscription.names.has(name);
}
