// When a leaf is replaced, as a pure function of what there is, what is wanted and the time. It
// works on absolute times and is asked again and again, so a machine that slept or a clock that
// jumped changes nothing but the answer. Where the clock is in doubt a leaf has to do at all times
// that it may be. The jitter comes from the leaf's serial: it spreads the
// nodes, yet a restart does not roll it again.

import { MINUTE_MS, type Times } from '../base/index.js';
import type { Leaf, LeafRequest } from '../ca/index.js';
import type { KeyType } from '../spiffe/index.js';
import { sha256Hex } from '../x509/keys/index.js';

export interface LeafSettings extends LeafRequest, RenewalShare {}

export interface RenewalShare {
  /** Share of the lifetime after which a leaf is renewed, in (0, 1). */
  readonly renewAt: number;
  /** How far from that share it may be, on either side. */
  readonly jitter: number;
}

export type RenewalReason =
  | 'none-yet'
  | 'identity-changed'
  | 'names-changed'
  | 'key-type-changed'
  | 'lifetime-shortened'
  | 'issuer-gone'
  /** Its root is being replaced. */
  | 'root-changed'
  /** Peers are to refuse it. */
  | 'revoked'
  /** Somebody asked for a new one. */
  | 'asked'
  | 'expired'
  /** It has not begun at a time that it may be. */
  | 'not-begun'
  /** By a clock that ran ahead of what is known now: it may live for too long. */
  | 'issued-ahead'
  | 'due';

export type RenewalPlan =
  | { readonly action: 'issue'; readonly reason: RenewalReason }
  /** Ask again at this time, in ms since the epoch, at the latest. */
  | { readonly action: 'keep'; readonly renewAtMs: number };

export interface RenewalState {
  readonly leaf: Leaf | undefined;
  readonly settings: LeafSettings;
  readonly times: Times;
  /** Whether the leaf's chain ends at a root that peers are to trust. */
  readonly trusted: boolean;
  /** Whether that root is the one that leaves are issued under now. */
  readonly current: boolean;
  /**
   * Since when it is looked after by these settings, ms since the epoch. What was due before is
   * caught up with over a while: an edit of `renewAt` makes many due together, as does a server
   * that was down. Undefined: nothing is known of that.
   */
  readonly sinceMs?: number | undefined;
  /** Why the leaf is replaced whatever its age. */
  readonly urgent?: 'revoked' | 'asked' | undefined;
}

/** An outside CA's clock may run ahead a little. */
const SKEW_MS = 5 * MINUTE_MS;
/** What is caught up with is spread over so much of the lifetime, and of what is left of it. */
const CATCH_UP_OF_LIFE = 0.2;
const CATCH_UP_OF_REST = 0.4;
const FRACTION_STEPS = 2 ** 32;

/** What to do about a node's leaf at these times. */
export function planRenewal(state: RenewalState): RenewalPlan {
  const { leaf, settings, times, trusted, current, urgent } = state;
  const { earliestMs, latestMs } = times;
  if (leaf === undefined) return { action: 'issue', reason: 'none-yet' };
  const changed = changedSetting(leaf, settings);
  if (changed !== undefined) return { action: 'issue', reason: changed };
  if (!trusted) return { action: 'issue', reason: 'issuer-gone' };
  if (urgent !== undefined) return { action: 'issue', reason: urgent };
  if (latestMs >= leaf.notAfterMs) return { action: 'issue', reason: 'expired' };
  if (earliestMs < leaf.notBeforeMs) return { action: 'issue', reason: 'not-begun' };
  if (leaf.issuedAtMs > latestMs + SKEW_MS) return { action: 'issue', reason: 'issued-ahead' };
  if (!current) return { action: 'issue', reason: 'root-changed' };
  const renewAtMs = toCaughtUpMs(leaf, settings, state.sinceMs);
  return latestMs >= renewAtMs ? { action: 'issue', reason: 'due' } : { action: 'keep', renewAtMs };
}

/**
 * Whether peers would still accept the leaf for what is wanted, though it may be due: at one of the
 * times that it may be, where no leaf could do at all of them.
 */
export function isUsable({ leaf, settings, times, trusted, urgent }: RenewalState): boolean {
  if (leaf === undefined || !trusted || urgent === 'revoked') return false;
  const identityChanged = leaf.spiffeId !== settings.spiffeId;
  return !identityChanged && mayBeInForce(leaf, times);
}

/** Whether a leaf is in force at one of the times that it may be. */
export function mayBeInForce(
  { notBeforeMs, notAfterMs }: Pick<Leaf, 'notBeforeMs' | 'notAfterMs'>,
  { earliestMs, latestMs }: Times,
): boolean {
  const isInForce = (atMs: number): boolean => atMs >= notBeforeMs && atMs < notAfterMs;
  return isInForce(earliestMs) || isInForce(latestMs);
}

/** The time at which a leaf is due: its share of the lifetime ± jitter, always before its end. */
export function toRenewAtMs(leaf: Leaf, { renewAt, jitter }: RenewalShare): number {
  // Near the end the jitter is cut to half of what is left, so that late stays before too late.
  const span = Math.min(jitter, renewAt, (1 - renewAt) / 2);
  const share = renewAt + (2 * toFraction(leaf) - 1) * span;
  return leaf.issuedAtMs + (leaf.notAfterMs - leaf.issuedAtMs) * share;
}

/** The same of one that was due before anybody knew: some time soon, well before its end. */
function toCaughtUpMs(leaf: Leaf, share: RenewalShare, sinceMs: number | undefined): number {
  const dueMs = toRenewAtMs(leaf, share);
  const { issuedAtMs, notAfterMs } = leaf;
  const lifeMs = notAfterMs - issuedAtMs;
  const spanMs = Math.min(lifeMs * CATCH_UP_OF_LIFE, (notAfterMs - dueMs) * CATCH_UP_OF_REST);
  const lastMs = dueMs + spanMs;
  if (sinceMs === undefined || sinceMs <= dueMs || sinceMs >= lastMs) return dueMs;
  return sinceMs + (lastMs - sinceMs) * toFraction(leaf);
}

/** In [0, 1), of the leaf's own. */
function toFraction({ serialHex }: Leaf): number {
  return Number.parseInt(sha256Hex(serialHex).slice(0, 8), 16) / FRACTION_STEPS;
}

function changedSetting(leaf: Leaf, settings: LeafSettings): RenewalReason | undefined {
  if (leaf.spiffeId !== settings.spiffeId) return 'identity-changed';
  if (!sameNames(leaf.dnsNames, settings.dnsNames)) return 'names-changed';
  const wanted: KeyType = settings.key;
  if (leaf.keyType !== wanted) return 'key-type-changed';
  // Lifetimes are compared, not ends: those would make every leaf look too long after a clock step
  // back.
  if (leaf.notAfterMs - leaf.issuedAtMs > settings.ttlMs) return 'lifetime-shortened';
  return undefined;
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}
