// By what those proved themselves who have a leaf, so that it is good for no more than that when it
// is shown as a client certificate.

/** The only addresses, and ranges of them, at which a leaf's holders may be. */
export type Reach = 'anywhere' | ReadonlySet<string>;

/** How one of them proved itself. */
export interface Holding {
  /** By that client certificate. */
  readonly shownSerialHex?: string | undefined;
  /** By something that is good for these addresses alone. */
  readonly addresses?: readonly string[] | undefined;
}

/** All of them. */
export interface Holders {
  readonly shown: ReadonlySet<string>;
  /** Undefined: of nobody yet. */
  readonly reach?: Reach | undefined;
}

export function toReach(addresses: readonly string[] | undefined): Reach {
  return addresses === undefined ? 'anywhere' : new Set(addresses);
}

export function widen(reach: Reach | undefined, by: Reach | undefined): Reach | undefined {
  if (reach === undefined || by === undefined) return reach ?? by;
  if (reach === 'anywhere' || by === 'anywhere') return 'anywhere';
  return new Set([...reach, ...by]);
}
