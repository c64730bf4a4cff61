// The outage horizon of this server as it is: it gathers the ends, and logs a warning when one is
// near that should be far. Of each kind once on entering, when it has spread to more sidecars, and
// daily: a mesh whose certificates are no longer renewed has thousands of them. Looked at every
// hour by the time of day, since one long timer would not count a machine's sleep.
import { type Cancel, type Clock, DAY_MS, HOUR_MS, type Logger } from '../../base/index.js';
import type { Authority, Leaf, LocalAuthority } from '../../ca/index.js';
import type { ServerCredential } from '../../ca/xds/index.js';
import { type LeafSettings, toRenewAtMs } from '../../leaves/index.js';
import { findService, type Mesh } from '../../policy/index.js';
import { ChainReader, type Period, readPeriods } from '../../x509/read/index.js';
import type { MemberView } from '../fleet/index.js';
import type { Credential } from '../join/index.js';
import {
  type CaKind,
  HORIZON_KINDS,
  type Horizon,
  type HorizonKind,
  type HorizonWarning,
  type NodeEnds,
  toHorizon,
} from './horizon.js';
import { toTokenEndMs } from './token-end.js';

export interface HorizonWatchOptions {
  readonly authority: Pick<Authority, 'trustAnchorsPem'>;
  /** The same where it is our own. */
  readonly ownAuthority?: Pick<LocalAuthority, 'describe' | 'hasRootKey'> | undefined;
  readonly credential: Pick<ServerCredential, 'anchorPem' | 'certificate'>;
  /** Of the CRL that sidecars have; undefined where they have none. */
  readonly crl?: () => Period | undefined;
  readonly members: () => readonly MemberView[];
  readonly mesh: () => Mesh;
  /** When the tokens of a key are refused, where that is decided. */
  readonly keyEndMs: (keyId: string) => number | undefined;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
}

type LeafEnds = Pick<NodeEnds, 'leaf' | 'issuer' | 'root'>;

interface KnownLeaf {
  readonly share: RenewalShare;
  readonly chains: ChainReader;
  readonly ends: LeafEnds;
}

interface Warned {
  readonly atMs: number;
  readonly nodes: ReadonlySet<string>;
}

const CHECK_EVERY_MS = HOUR_MS;
const REPEAT_AFTER_MS = DAY_MS;
/** So many sidecars are named in one line of the log. */
const NAMED = 5;
/** Of a leaf whose service is no longer declared. */
type RenewalShare = Pick<LeafSettings, 'renewAt' | 'jitter'>;

const DEFAULT_SHARE: RenewalShare = { renewAt: 0.5, jitter: 0.05 };
const NO_LEAF: LeafEnds = { leaf: undefined, issuer: undefined, root: undefined };

export class HorizonWatch {
  readonly #options: HorizonWatchOptions;
  readonly #warned = new Map<HorizonKind, Warned>();
  readonly #leaves = new WeakMap<Leaf, KnownLeaf>();
  #chains: ChainReader | undefined;
  #cancelTimer: Cancel | undefined;

  constructor(options: HorizonWatchOptions) {
    this.#options = options;
  }

  /** As it is now. @param members Those of this moment, where the caller has them already. */
  current(members: readonly MemberView[] = this.#options.members()): Horizon {
    const { authority, ownAuthority, credential, clock, crl } = this.#options;
    const { trustAnchorsPem } = authority;
    if (this.#chains?.anchorsPem !== trustAnchorsPem) {
      this.#chains = new ChainReader(trustAnchorsPem);
    }
    const chains = this.#chains;
    return toHorizon({
      nowMs: clock.now(),
      nodes: members.map((member) => this.#toNodeEnds(member, chains)),
      anchors: chains.anchors,
      issuer: toIssuerPeriod(ownAuthority),
      ca: toCaKind(ownAuthority),
      xdsCertificate: firstPeriod(credential.certificate().chainPem),
      xdsAnchor: firstPeriod(credential.anchorPem),
      crl: crl?.(),
    });
  }

  /** Looks now, and every hour until `stop`. */
  start(): void {
    this.#check();
    this.#cancelTimer = this.#options.clock.after(CHECK_EVERY_MS, () => this.start());
  }

  stop(): void {
    this.#cancelTimer?.();
  }

  #check(): void {
    const { warnings } = this.current();
    for (const what of HORIZON_KINDS) {
      const own = warnings.filter((warning) => warning.what === what);
      if (own.length === 0) this.#warned.delete(what);
      else this.#warn(what, own);
    }
  }

  #warn(what: HorizonKind, warnings: readonly HorizonWarning[]): void {
    const { clock, logger } = this.#options;
    const nowMs = clock.now();
    const nodes = new Set(warnings.map(({ node }) => node ?? ''));
    const warned = this.#warned.get(what);
    const isNews = warned === undefined || [...nodes].some((node) => !warned.nodes.has(node));
    // By its distance: a clock that was set back must not silence it.
    if (!isNews && Math.abs(nowMs - warned.atMs) < REPEAT_AFTER_MS) return;
    this.#warned.set(what, { atMs: nowMs, nodes });
    const [first] = warnings;
    const named = [...nodes].filter((node) => node !== '').slice(0, NAMED);
    const proxies = named.length === 0 ? {} : { proxies: nodes.size, nodes: named };
    logger.warn({ what, reason: first?.text, ...proxies }, 'an end is near that should be far');
  }

  #toNodeEnds({ stream, leaf }: MemberView, chains: ChainReader): NodeEnds {
    const { node, service, credential } = stream.auth;
    const declared = findService(this.#options.mesh(), service);
    const share = declared?.certificates ?? DEFAULT_SHARE;
    const token =
      credential.kind === 'token'
        ? this.#toTokenPeriod(credential, stream.connectedAtMs)
        : undefined;
    const ends = leaf === undefined ? NO_LEAF : this.#toLeafEnds(leaf, share, chains);
    return { node, token, ...ends };
  }

  /** Where its key was retired it is near as soon as that is less than the usual lead away. */
  #toTokenPeriod(credential: Credential & { kind: 'token' }, connectedAtMs: number): Period {
    const endsAtMs = toTokenEndMs(credential, this.#options.keyEndMs);
    const isCut = endsAtMs < credential.expiresAtMs;
    return { beginsAtMs: isCut ? Number.NEGATIVE_INFINITY : connectedAtMs, endsAtMs };
  }

  /** A leaf never changes: its ends are computed once. */
  #toLeafEnds(leaf: Leaf, share: RenewalShare, chains: ChainReader): LeafEnds {
    const known = this.#leaves.get(leaf);
    if (known !== undefined && isSame(known.share, share) && known.chains === chains) {
      return known.ends;
    }
    const { issuedAtMs: beginsAtMs, notAfterMs: endsAtMs } = leaf;
    const period = { beginsAtMs, endsAtMs, renewAtMs: toRenewAtMs(leaf, share) };
    const ends = { leaf: period, ...chains.read(leaf.chainPem) };
    const { renewAt, jitter } = share;
    this.#leaves.set(leaf, { share: { renewAt, jitter }, chains, ends });
    return ends;
  }
}

function isSame(one: RenewalShare, other: RenewalShare): boolean {
  return one.renewAt === other.renewAt && one.jitter === other.jitter;
}

function toIssuerPeriod(own: Pick<Authority, 'describe'> | undefined): Period | undefined {
  const found = own?.describe().find(({ kind }) => kind === 'intermediate');
  return found && { beginsAtMs: found.notBeforeMs, endsAtMs: found.notAfterMs };
}

function toCaKind(own: Pick<LocalAuthority, 'hasRootKey'> | undefined): CaKind {
  if (own === undefined) return 'outside';
  return own.hasRootKey ? 'own' : 'brought';
}

function firstPeriod(pem: string): Period {
  const [period] = readPeriods(pem);
  if (period === undefined) throw new Error('a PEM text that was checked has a certificate');
  return period;
}
