// Paces a change of root, so that it fails no request (DESIGN.md "Phases"): every sidecar trusts
// both roots before anybody shows a leaf of the new one; every sidecar has such a leaf, and every
// certificate handed out under the old root has ended, before the old one goes. The stages
// themselves are the authority's, which stores each before it is seen; a server that was killed
// goes on where it was.
//
// Who counts: a sidecar that is connected, or was a moment ago, and has a certificate in force: one
// without has nothing to lose. A mute one stops holding back the
// new leaves after a deadline, as in every phase; it never lets the old root go, since that would
// shut it out, and there is no hurry: the operator can say `ca rotate --finish`.

import {
  type Cancel,
  type Clock,
  type Logger,
  MeshError,
  MINUTE_MS,
  Rerun,
} from '../../base/index.js';
import {
  type CaProgress,
  FINISH_CA,
  type LocalAuthority,
  openOffer,
  ROOT_ALONE,
  TAKE_CA,
} from '../../ca/index.js';
import type { Answered, Order, OrderDesk, PayloadOf } from '../../data/orders/index.js';
import { sha256Hex } from '../../x509/keys/index.js';
import { splitPem } from '../../x509/read/index.js';
import { type ProxyState, STORE_RETRY_MS, Staged } from '../mesh/index.js';
import { findRootHolders, type RootHolder, type RootHoldersOptions } from './root-holders.js';

/** What needs the old root, beside sidecars, is looked at this often. */
const LOOK_EVERY_MS = MINUTE_MS;

export interface CaProxy {
  readonly node: string;
  readonly state: ProxyState;
  /** Its leaf is of the root that signs now; true for one that has none. */
  readonly isCurrent: boolean;
  /** Its leaf is in force, as far as the time is known. */
  readonly hasLeaf: boolean;
}

export interface CaChangeOptions extends RootHoldersOptions {
  readonly authority: LocalAuthority;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Opens what a command offers. */
  readonly passphrase: string | undefined;
  readonly proxies: () => Iterable<CaProxy>;
  /** The trust anchors have changed, or leaves are issued by another CA. */
  readonly onChange: () => void;
}

export interface CaPhase {
  readonly name: string;
  /** Nodes, or what else it waits for, in words. */
  readonly waitingFor: readonly string[];
}

/** The stages of the authority itself, and its end, which is stored and seen like them. */
type Stage = 'trust' | 'sign' | 'end';

export class CaChange {
  readonly #options: CaChangeOptions;
  readonly #staged: Staged<Stage>;
  readonly #advancing = new Rerun(() => this.#advance());
  /** What keeps the old root though no sidecar does; undefined: not looked at yet. */
  #holders: readonly RootHolder[] | undefined;
  /** The old root that the operator lets go, whoever needs it. */
  #finishAsked: string | undefined;
  #cancelLook: Cancel | undefined;

  constructor(options: CaChangeOptions) {
    this.#options = options;
    const { authority, clock, logger } = options;
    this.#staged = new Staged<Stage>({
      clock,
      store: (stage) => (stage === 'sign' ? authority.signByNew() : this.#end()),
      onStoreError: (err) => logger.error({ err }, 'the change of root waits: it is tried again'),
      onEnter: (stage) => this.#onEnter(stage),
      isDone: (stage, isOverdue) => this.#isDone(stage, isOverdue),
      next: (stage) => ({ trust: 'sign', sign: 'end', end: undefined })[stage] as Stage | undefined,
    });
  }

  /** Goes on with a change that was under way. */
  start(): void {
    const { change } = this.#options.authority;
    if (change !== undefined) this.#staged.resume(change.stage);
  }

  async stop(): Promise<void> {
    this.#staged.stop();
    await this.#advancing.settled();
    this.#cancelLook?.();
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
    const { authority, clock, logger, passphrase, hold } = this.#options;
    const { trustDomain } = authority;
    const chain = openOffer(payload, { passphrase, trustDomain, nowMs: clock.now() });
    if (!authority.has(chain)) {
      const held = hold?.();
      if (held !== undefined) return { state: 'waiting', report: { waitingFor: [held] } };
      if (authority.change !== undefined) {
        return { state: 'waiting', report: { waitingFor: ['the end of another change of root'] } };
      }
      await authority.beginChange(chain);
      logger.info({ change: authority.change }, 'another CA was taken over');
      // Another issuing CA under the same root takes no stages.
      if (authority.change === undefined) this.#options.onChange();
      else this.#staged.resume('trust');
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
      variant: 'other-root',
    });
  }

  #progress(): CaProgress {
    const { change } = this.#options.authority;
    if (change === undefined) return { waitingFor: [] };
    const holders = this.#nodes().length > 0 ? [] : (this.#holders ?? []);
    const progress = { stage: change.stage, waitingFor: [...this.#waitingFor()] };
    return holders.length === 0 ? progress : { ...progress, holders: [...holders] };
  }

  /** Call whenever a sidecar connected, answered or left. */
  advance(): Promise<void> {
    return this.#advancing.run();
  }

  async #advance(): Promise<void> {
    const { state } = this.#staged;
    if (state.kind === 'stopped') return;
    try {
      if (state.kind === 'waiting' && state.stage === 'sign') await this.#lookAtHolders();
    } catch (err) {
      this.#options.logger.error({ err }, 'the change of root waits: it is tried again');
      this.#lookAgainAfter(STORE_RETRY_MS);
    }
    this.#staged.advance();
    await this.#staged.settled();
  }

  async #lookAtHolders(): Promise<void> {
    if (this.#isFinishAsked || this.#nodes().length > 0) return;
    this.#holders = await findRootHolders(this.#options);
    if (this.#holders.length > 0) this.#lookAgainAfter(LOOK_EVERY_MS);
  }

  async #end(): Promise<void> {
    const { authority, logger } = this.#options;
    const root = authority.change?.newRootSha256;
    await authority.endChange();
    logger.info({ root }, 'the old root is no longer trusted');
  }

  #isDone(stage: Stage, isOverdue: boolean): boolean {
    if (stage === 'end') return true;
    if (stage === 'sign' && this.#isFinishAsked) return true;
    if (this.#waitingNodes(isOverdue).length > 0) return false;
    return stage === 'trust' || this.#holders?.length === 0;
  }

  get #isFinishAsked(): boolean {
    const { change } = this.#options.authority;
    return change !== undefined && change.oldRootSha256 === this.#finishAsked;
  }

  get #isOverdue(): boolean {
    const { state } = this.#staged;
    return state.kind === 'waiting' && state.isOverdue;
  }

  #waitingFor(): readonly string[] {
    const nodes = this.#nodes();
    return nodes.length > 0 ? nodes : (this.#holders ?? []).map(({ text }) => text);
  }

  #nodes(): readonly string[] {
    return this.#waitingNodes(this.#isOverdue);
  }

  #waitingNodes(isOverdue: boolean): readonly string[] {
    const { authority, proxies } = this.#options;
    const isSigning = authority.change?.stage === 'sign';
    const nodes = [...proxies()]
      .filter(({ state, isCurrent, hasLeaf }) => {
        if (!hasLeaf) return false;
        if (isSigning && !isCurrent) return true;
        if (state === 'pending') return isSigning || !isOverdue;
        return state === 'nacked';
      })
      .map(({ node }) => node);
    return [...new Set(nodes)];
  }

  #onEnter(stage: Stage): void {
    const { authority, logger, onChange } = this.#options;
    this.#holders = undefined;
    this.#cancelLook?.();
    onChange();
    if (stage === 'end') return;
    logger.info({ ...authority.change }, 'the root is being changed');
    void this.advance();
  }

  #lookAgainAfter(delayMs: number): void {
    this.#cancelLook?.();
    this.#cancelLook = this.#options.clock.after(delayMs, () => void this.advance());
  }
}
