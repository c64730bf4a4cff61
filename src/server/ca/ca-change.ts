// Paces a change of root, so that it fails no request (DESIGN.md "Phases"): every proxy trusts both
// roots before anybody shows a leaf of the new one; every proxy has such a leaf, and every
// certificate handed out under the old root has ended, before the old one goes. The stages
// themselves are the authority's, which stores each before it is seen; a server that was killed
// goes on where it was.
//
// Who counts: a proxy that is connected, or was a moment ago. A mute one stops holding back the new
// leaves after a deadline, as in every phase; it never lets the old root go, since that would shut
// it out, and there is no hurry: the operator can say `ca rotate --finish`.

import type { Cancel, Clock, Logger } from '../../base/index.js';
import { MeshError, toRfc3339 } from '../../base/index.js';
import {
  bundleNotedAtMs,
  type CaProgress,
  FINISH_CA,
  type LocalAuthority,
  openOffer,
  ROOT_ALONE,
  TAKE_CA,
} from '../../ca/index.js';
import type { DataDir } from '../../data/index.js';
import type { Answered, Order, OrderDesk, PayloadOf } from '../../data/orders/index.js';
import { sha256Hex } from '../../x509/keys/index.js';
import { splitPem } from '../../x509/read/index.js';
import { PHASE_DEADLINE_MS, type ProxyState, STORE_RETRY_MS } from '../mesh/index.js';

/** What holds on to the old root, beside proxies, is looked at this often. */
const LOOK_EVERY_MS = 60_000;

export interface CaProxy {
  readonly node: string;
  readonly state: ProxyState;
  /** Its leaf is of the root that signs now; true for one that has none. */
  readonly isCurrent: boolean;
}

export interface CaChangeOptions {
  readonly authority: LocalAuthority;
  readonly dataDir: DataDir;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Opens what a command offers. */
  readonly passphrase: string | undefined;
  readonly proxies: () => Iterable<CaProxy>;
  /** When the last certificate that was handed out before this time ends, ms since the epoch. */
  readonly handedOutEndMs: (beforeMs: number) => Promise<number | undefined>;
  /** The trust anchors are others, or leaves are issued by another line. */
  readonly onChange: () => void;
}

export interface CaPhase {
  readonly name: string;
  /** Nodes, or what else it waits for, in words. */
  readonly waitingFor: readonly string[];
}

export class CaChange {
  readonly #options: CaChangeOptions;
  #isOverdue = false;
  /** The old root that the operator lets go. */
  #finishAsked: string | undefined;
  /** What keeps the old root though no proxy does. */
  #holders: readonly string[] = [];
  #advancing: Promise<void> | undefined;
  /** Something happened while it advanced. */
  #isStale = false;
  #cancelDeadline: Cancel | undefined;
  #cancelRetry: Cancel | undefined;
  #stopped = false;

  constructor(options: CaChangeOptions) {
    this.#options = options;
  }

  /** Goes on with a change that was under way. */
  start(): void {
    if (this.#options.authority.change !== undefined) this.#enterStage();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#advancing;
    this.#cancelDeadline?.();
    this.#cancelRetry?.();
  }

  /** The stage that is running; undefined where no root is being changed. */
  get phase(): CaPhase | undefined {
    const { change } = this.#options.authority;
    if (change === undefined) return undefined;
    const waitingFor = this.#waitingFor();
    return change.stage === 'trust'
      ? { name: 'new root: every proxy trusts it', waitingFor }
      : { name: 'new root: it signs, the old one goes', waitingFor };
  }

  /** Takes the orders about the authority from now on. */
  takeOrders(desk: OrderDesk): void {
    desk.register(TAKE_CA, (order) => this.#takeOver(order));
    desk.register(FINISH_CA, (order) => this.#finish(order));
    desk.register(ROOT_ALONE, (order) => this.#tellProgress(order));
  }

  /** Done where that CA was taken over already: it is in `authority.json` since. */
  async #takeOver({ payload }: Order<PayloadOf<typeof TAKE_CA>>): Promise<Answered<CaProgress>> {
    const { authority, clock, logger, passphrase } = this.#options;
    const { trustDomain } = authority;
    const line = openOffer(payload, { passphrase, trustDomain, nowMs: clock.now() });
    if (!authority.has(line)) {
      if (authority.change !== undefined) {
        return { state: 'waiting', report: { waitingFor: ['the end of another change of root'] } };
      }
      await authority.beginChange(line);
      logger.info({ change: authority.change }, 'another CA was taken over');
      this.#enterStage();
    }
    await this.advance();
    return { state: 'done', report: this.#progress() };
  }

  /** Done where the root is gone. */
  async #finish({ payload }: Order<{ rootSha256: string }>): Promise<Answered<CaProgress>> {
    const { authority } = this.#options;
    if (authority.change?.oldRootSha256 === payload.rootSha256) {
      this.#finishAsked = payload.rootSha256;
      await this.advance();
    }
    const isGone = authority.change?.oldRootSha256 !== payload.rootSha256;
    return { state: isGone ? 'done' : 'waiting', report: this.#progress() };
  }

  async #tellProgress({ payload }: Order<{ rootSha256: string }>): Promise<Answered<CaProgress>> {
    const { authority } = this.#options;
    await this.advance();
    if (authority.change !== undefined) return { state: 'waiting', report: this.#progress() };
    const [root] = splitPem(authority.trustAnchorsPem).map((der) => sha256Hex(der));
    if (root === payload.rootSha256) return { state: 'done', report: this.#progress() };
    throw new MeshError('request-invalid', 'expected that root to stand alone but another does', {
      hint: 'see `countersign ca show`',
    });
  }

  #progress(): CaProgress {
    const { change } = this.#options.authority;
    const waitingFor = change === undefined ? [] : [...this.#waitingFor()];
    return change === undefined ? { waitingFor } : { stage: change.stage, waitingFor };
  }

  /** Call whenever a proxy answered, came or went. */
  advance(): Promise<void> {
    this.#isStale = true;
    this.#advancing ??= this.#advanceAll().finally(() => {
      this.#advancing = undefined;
    });
    return this.#advancing;
  }

  async #advanceAll(): Promise<void> {
    while (this.#isStale && !this.#stopped) {
      this.#isStale = false;
      try {
        await this.#step();
      } catch (err) {
        this.#options.logger.error({ err }, 'the change of root waits: it is tried again');
        this.#lookAgainAfter(STORE_RETRY_MS);
      }
    }
  }

  async #step(): Promise<void> {
    const { authority } = this.#options;
    const { change } = authority;
    if (change?.stage === 'trust' && this.#waitingFor().length === 0) {
      await authority.signByNew();
      this.#enterStage();
    } else if (change?.stage === 'sign') {
      await this.#tryEnd();
    }
  }

  async #tryEnd(): Promise<void> {
    const { authority, logger } = this.#options;
    const { change } = authority;
    if (change === undefined) return;
    if (this.#finishAsked !== change.oldRootSha256) {
      if (this.#waitingProxies().length > 0) return;
      this.#holders = await this.#toHolders();
      if (this.#holders.length > 0) {
        this.#lookAgainAfter(LOOK_EVERY_MS);
        return;
      }
    }
    await authority.endChange();
    this.#holders = [];
    logger.info({ root: change.newRootSha256 }, 'the old root is trusted no more');
    this.#options.onChange();
  }

  /** Who still needs the old root though all proxies have leaves of the new one. */
  async #toHolders(): Promise<readonly string[]> {
    const { authority, clock, dataDir, handedOutEndMs } = this.#options;
    const { change } = authority;
    if (change === undefined) return [];
    const holders: string[] = [];
    const endMs = await handedOutEndMs(change.sinceMs);
    if (endMs !== undefined && endMs > clock.now()) {
      holders.push(`a certificate handed out until ${toRfc3339(endMs)}`);
    }
    const notedAtMs = await bundleNotedAtMs(dataDir);
    if (notedAtMs !== undefined && notedAtMs < change.beganAtMs) {
      holders.push('whoever holds a bundle of the old root: countersign ca rotate --finish');
    }
    return holders;
  }

  #waitingFor(): readonly string[] {
    const nodes = this.#waitingProxies();
    return nodes.length > 0 ? nodes : this.#holders;
  }

  #waitingProxies(): readonly string[] {
    const { authority, proxies } = this.#options;
    const isSigning = authority.change?.stage === 'sign';
    return [...proxies()]
      .filter(({ state, isCurrent }) => {
        if (isSigning && !isCurrent) return true;
        if (state === 'pending') return isSigning || !this.#isOverdue;
        return state === 'nacked';
      })
      .map(({ node }) => node);
  }

  #enterStage(): void {
    const { authority, clock, logger, onChange } = this.#options;
    this.#isOverdue = false;
    this.#holders = [];
    this.#cancelDeadline?.();
    this.#cancelRetry?.();
    onChange();
    const { change } = authority;
    if (change === undefined) return;
    logger.info({ ...change }, 'the root is being changed');
    this.#isStale = true;
    this.#cancelDeadline = clock.after(PHASE_DEADLINE_MS, () => {
      this.#isOverdue = true;
      void this.advance();
    });
  }

  #lookAgainAfter(delayMs: number): void {
    this.#cancelRetry?.();
    this.#cancelRetry = this.#options.clock.after(delayMs, () => void this.advance());
  }
}
