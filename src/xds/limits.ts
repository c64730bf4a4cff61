// What one client may ask of one stream. Every list and name that a client sends is bounded here;
// reaching a bound ends that stream with `resource-limit` and no other.

export interface SessionLimits {
  /** Names that one stream may be subscribed to, per type. */
  readonly maxNames: number;
  /** Length of a resource name, version or type URL, in UTF-16 code units. */
  readonly maxNameLength: number;
  /** Types that one stream may subscribe to. */
  readonly maxTypes: number;
  /** How long an unanswered response may hold back the types that come after it. */
  readonly orderTimeoutMs: number;
  /** By type URL: replaces `orderTimeoutMs` where a response of that type is unanswered. */
  readonly orderTimeoutMsByType?: ReadonlyMap<string, number>;
}

export const DEFAULT_SESSION_LIMITS: SessionLimits = {
  maxNames: 20_000,
  maxNameLength: 4_096,
  maxTypes: 32,
  orderTimeoutMs: 5_000,
};
