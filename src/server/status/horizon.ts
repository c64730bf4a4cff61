// The outage horizon: what would fail first, and when, if the server stopped now. Pure: ends in,
// answers out. Each kind of end has a lead, the time before it from which it is near: by then the
// server should have renewed it, or the operator must act (decision 017). Leaf, issuing CA, root
// and CRL end traffic. Token and the xDS port's own certificates matter only to a sidecar that
// connects again: an open stream is never cut by them, and with the server stopped there is none.
import { DAY_MS, toRfc3339 } from '../../base/index.js';
import { COMMANDS } from '../../terminal/index.js';
import type { Period } from '../../x509/read/index.js';

export const HORIZON_KINDS = [
  'root',
  'issuer',
  'crl',
  'leaf',
  'token',
  'xds-certificate',
  'xds-anchor',
] as const;

/** In the order in which ends at the same time are listed: the cause before what it brings down. */
export type HorizonKind = (typeof HORIZON_KINDS)[number];

export interface HorizonEnd {
  /** Ms since the epoch. */
  readonly atMs: number;
  readonly what: HorizonKind;
  /** Whose; absent where it is everybody's. */
  readonly node?: string;
}

export interface HorizonWarning {
  readonly what: HorizonKind;
  readonly text: string;
  readonly atMs: number;
  readonly node?: string;
}

export interface NodeEnds {
  readonly node: string;
  /** Undefined while it has none. */
  readonly leaf: (Period & { readonly renewAtMs: number }) | undefined;
  /** Of the CAs in its chain below the root, the first to end. */
  readonly issuer: Period | undefined;
  readonly root: Period | undefined;
  /**
   * By which it joined, from then on; undefined where it joined by what other hands renew, of which
   * the newest is not known here.
   */
  readonly token: Period | undefined;
}

/**
 * `own`: we have the root's key. `brought`: only the issuing CA's. `outside`: the CA is elsewhere.
 */
export type CaKind = 'own' | 'brought' | 'outside';

export interface HorizonInput {
  readonly nowMs: number;
  /** The connected ones. */
  readonly nodes: readonly NodeEnds[];
  /** Of the trust domain: asked where no node has a leaf. */
  readonly anchors: readonly Period[];
  /** That signs now: likewise. Undefined: not known. */
  readonly issuer?: Period | undefined;
  /** Who renews root and issuing CA. Default: own. */
  readonly ca?: CaKind;
  readonly xdsCertificate: Period;
  readonly xdsAnchor: Period;
  readonly crl: Period | undefined;
}

export interface Horizon {
  /** What fails first; undefined where nothing is known to end. */
  readonly first: HorizonEnd | undefined;
  readonly byNode: ReadonlyMap<string, HorizonEnd>;
  /** The first of each kind that there is. */
  readonly byKind: ReadonlyMap<HorizonKind, HorizonEnd>;
  /** By kind, then by time. */
  readonly warnings: readonly HorizonWarning[];
}

interface Known extends HorizonEnd {
  /** From then on it is near. */
  readonly nearAtMs: number;
}

const ROTATION_MS = 30 * DAY_MS;
const TOKEN_MS = 14 * DAY_MS;
const XDS_MS = 90 * DAY_MS;

export function toHorizon(input: HorizonInput): Horizon {
  const { nodes, nowMs } = input;
  const longestMs = longestLeafMs(input);
  const above = new Map<Period, Known>();
  const byNode = new Map<string, HorizonEnd>();
  const all: Known[] = toSharedEnds(input);
  const shared = firstOf(all, nowMs);
  for (const node of nodes) {
    const own = toOwnEnds(node);
    const ends = [...own, ...toEndsAbove(node, longestMs, above)];
    const first = earlier(firstOf(ends, nowMs), shared);
    if (first !== undefined) byNode.set(node.node, { atMs: first.atMs, what: first.what });
    all.push(...own);
  }
  all.push(...above.values());
  const byKind = new Map<HorizonKind, HorizonEnd>();
  for (const what of HORIZON_KINDS) {
    const first = all
      .filter((end) => end.what === what)
      .reduce<Known | undefined>(earlier, undefined);
    if (first !== undefined) byKind.set(what, toEnd(first));
  }
  const first = firstOf(all, nowMs);
  const warnings = toWarnings(all, input);
  return { first: first === undefined ? undefined : toEnd(first), byNode, byKind, warnings };
}

function toOwnEnds({ node, leaf, token }: NodeEnds): Known[] {
  return [
    ...known('leaf', leaf, lateLeafMs, node),
    ...known('token', token, (period) => leadOf(period, TOKEN_MS, 2), node),
  ];
}

/** Thousands of nodes stand under the same issuing CA and root: those are `remembered`. */
function toEndsAbove(
  { issuer, root }: NodeEnds,
  longestMs: number,
  remembered: Map<Period, Known>,
): Known[] {
  // An issuing CA of ours is replaced at half its life; leaves under it may then live on.
  const issuerMs = Math.max(1.25 * longestMs, ROTATION_MS);
  const rootMs = Math.max(2 * longestMs, ROTATION_MS);
  return [
    ...once(issuer, remembered, () => known('issuer', issuer, (p) => leadOf(p, issuerMs, 3))),
    ...once(root, remembered, () => known('root', root, (p) => leadOf(p, rootMs, 3))),
  ];
}

function once(
  period: Period | undefined,
  remembered: Map<Period, Known>,
  make: () => readonly Known[],
): readonly Known[] {
  if (period === undefined) return [];
  const found = remembered.get(period);
  if (found !== undefined) return [found];
  const made = make();
  for (const end of made) remembered.set(period, end);
  return made;
}

function toSharedEnds(input: HorizonInput): Known[] {
  const { anchors, nodes, xdsAnchor, xdsCertificate, crl } = input;
  const hasRoot = nodes.some(({ root }) => root !== undefined);
  const hasIssuer = nodes.some(({ issuer }) => issuer !== undefined);
  return [
    ...known('issuer', hasIssuer ? undefined : input.issuer, (period) =>
      leadOf(period, ROTATION_MS, 3),
    ),
    ...(hasRoot ? [] : anchors).flatMap((anchor) =>
      known('root', anchor, (period) => leadOf(period, ROTATION_MS, 3)),
    ),
    ...known('crl', crl, (period) => leadOf(period, Number.POSITIVE_INFINITY, 4)),
    ...known('xds-certificate', xdsCertificate, (period) => leadOf(period, XDS_MS, 4)),
    ...known('xds-anchor', xdsAnchor, (period) => leadOf(period, XDS_MS, 4)),
  ];
}

function known<P extends Period>(
  what: HorizonKind,
  period: P | undefined,
  toLeadMs: (given: P) => number,
  node?: string,
): Known[] {
  if (period === undefined) return [];
  const atMs = period.endsAtMs;
  const whose = node === undefined ? {} : { node };
  return [{ atMs, what, nearAtMs: atMs - toLeadMs(period), ...whose }];
}

/** `wantedMs`, or that part of the whole life where it is short. */
function leadOf({ beginsAtMs, endsAtMs }: Period, wantedMs: number, part: number): number {
  return Math.min(wantedMs, (endsAtMs - beginsAtMs) / part);
}

/**
 * A leaf is near its end a quarter of its life after it was due; where it is due late, half-way
 * from there to the end.
 */
function lateLeafMs(leaf: Period & { readonly renewAtMs: number }): number {
  const { beginsAtMs, endsAtMs, renewAtMs } = leaf;
  const afterMs = Math.min((endsAtMs - beginsAtMs) / 4, (endsAtMs - renewAtMs) / 2);
  return endsAtMs - renewAtMs - afterMs;
}

function longestLeafMs({ nodes }: HorizonInput): number {
  return nodes.reduce(
    (longest, { leaf }) =>
      leaf === undefined ? longest : Math.max(longest, leaf.endsAtMs - leaf.beginsAtMs),
    0,
  );
}

/**
 * What only matters to who connects again, and has ended, fails nothing more: a warning says so.
 */
function firstOf(ends: readonly Known[], nowMs: number): Known | undefined {
  return ends
    .filter(({ atMs, what }) => atMs > nowMs || !isForJoining(what))
    .reduce<Known | undefined>(earlier, undefined);
}

function earlier(a: Known | undefined, b: Known | undefined): Known | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compare(a, b) <= 0 ? a : b;
}

/** Whether it only matters to a sidecar that connects again. */
function isForJoining(what: HorizonKind): boolean {
  return what === 'token' || what === 'xds-certificate' || what === 'xds-anchor';
}

function compare(a: HorizonEnd, b: HorizonEnd): number {
  if (a.atMs !== b.atMs) return a.atMs - b.atMs;
  const rank = HORIZON_KINDS.indexOf(a.what) - HORIZON_KINDS.indexOf(b.what);
  if (rank !== 0) return rank;
  return (a.node ?? '') < (b.node ?? '') ? -1 : 1;
}

function toEnd({ atMs, what, node }: HorizonEnd): HorizonEnd {
  return node === undefined ? { atMs, what } : { atMs, what, node };
}

/** Everybody's (an issuing CA, a root) once, however many nodes stand under it. */
function toWarnings(
  ends: readonly Known[],
  { nowMs, ca = 'own' }: Pick<HorizonInput, 'nowMs' | 'ca'>,
): readonly HorizonWarning[] {
  const warnings = new Map<string, HorizonWarning>();
  for (const end of ends) {
    if (nowMs < end.nearAtMs) continue;
    const key = JSON.stringify([end.what, end.node ?? end.atMs]);
    if (!warnings.has(key)) warnings.set(key, { ...toEnd(end), text: toText(end, { nowMs, ca }) });
  }
  return [...warnings.values()].sort(
    (a, b) => HORIZON_KINDS.indexOf(a.what) - HORIZON_KINDS.indexOf(b.what) || compare(a, b),
  );
}

const TEXTS: Readonly<Record<HorizonKind, string>> = {
  root: `every leaf under it ends then: rotate it with ${COMMANDS.rotateRoot}`,
  issuer: 'every leaf under it ends then: it should have been replaced',
  crl: 'sidecars refuse every peer then: it should have been renewed',
  leaf: 'it should have been renewed: see the log',
  token: `unless its token file has a newer one, it could not join again: ${COMMANDS.makeToken}`,
  'xds-certificate': 'no sidecar could join again: it should have been renewed, see the log',
  'xds-anchor': 'no sidecar could join again: each needs a new bootstrap before that',
};

/** What is to be done where others than we renew. */
const OTHERS: Readonly<Record<CaKind, Partial<Record<HorizonKind, string>>>> = {
  own: {},
  brought: {
    issuer: `every leaf under it ends then: import its successor with ${COMMANDS.importCa}`,
  },
  outside: {
    root: 'every leaf under it ends then: name its successor in mesh.yaml beside it',
    issuer: 'every leaf under it ends then: the outside CA should have replaced it',
  },
};

function toText(
  { what, atMs, node }: HorizonEnd,
  { nowMs, ca }: { readonly nowMs: number; readonly ca: CaKind },
): string {
  const whose = node === undefined ? '' : ` of ${node}`;
  const verb = atMs <= nowMs ? 'ended' : 'ends';
  return `${what}${whose} ${verb} ${toRfc3339(atMs)}: ${OTHERS[ca][what] ?? TEXTS[what]}`;
}
