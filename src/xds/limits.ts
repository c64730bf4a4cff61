// What one client may ask of one stream. Every list and name that a client sends is bounded here;
// reaching a bound ends that stream with `resource-limit` and no other.

export interface SessionLimits {
  /**
   * Of one request. Envoy's first is about 62 kB; delta's first names every resource held, which is
   * why a client is refused what it couldn't name in so many bytes.
   */
  readonly maxRequestBytes: number;
  /** Names that one stream may ask for, per type. What it holds by wildcard isn't asked for. */
  readonly maxNames: number;
  /** Length of a name that is asked for, or of a type URL, in UTF-16 code units. */
  readonly maxNameLength: number;
  /** Types that one stream may subscribe to. */
  readonly maxTypes: number;
  /** How long an unanswered response may hold back the types that come after it. */
  readonly orderTimeoutMs: number;
  /** By type URL: replaces `orderTimeoutMs` where a response of that type is unanswered. */
  readonly orderTimeoutMsByType?: ReadonlyMap<string, number>;
}

export const DEFAULT_SESSION_LIMITS: SessionLimits = {
  maxRequestBytes: 4 * 1024 * 1024,
  maxNames: 20_000,
  maxNameLength: 4_096,
  maxTypes: 32,
  orderTimeoutMs: 5_000,
};

/** The limits of a session; what isn't given is by default. */
export function toSessionLimits(given: Partial<SessionLimits> = {}): SessionLimits {
  const names = Object.keys(DEFAULT_SESSION_LIMITS) as readonly (keyof SessionLimits)[];
  const isWhole = (limits: Partial<SessionLimits>): limits is SessionLimits =>
    names.every((name) => limits[name] !== undefined);
  return isWhole(given) ? given : { ...DEFAULT_SESSION_LIMITS, ...given };
}
