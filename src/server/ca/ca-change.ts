// Paces a change of root, so that it fails no request (DESIGN.md "Phases"): every proxy trusts both
// roots before anybody shows a leaf of the new one; every proxy has such a leaf, and every
// certificate handed out under the old root has ended, before the old one goes. The stages
// themselves are the authority's, which stores each before it is seen; a server that was killed
// goes on where it was.
//
// Who counts: a proxy that is connected, or was a moment ago. A mute one stops holding back the new
// leaves after a deadline, as in every phase; it never lets the old root go, since that would shut
// it out, and there is no hurry: the operator can say `ca rotate --finish`.

import { type Cancel, type Clock, type Logger, Rerun, toRfc3339 } from '../../base/index.js';
import {
  bundleNotedAtMs,
  isFinishAsked,
  type LocalAuthority,
  loadOffer,
  removeFinish,
  removeOffer,
} from '../../ca/index.js';
import type { DataDir } from '../../data/index.js';
import { COMMANDS } from '../../terminal/index.js';
import { type ProxyState, STORE_RETRY_MS, Staged } from '../mesh/index.js';

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
  /** Opens what a command left. */
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

/** The stages of the authority itself, and its end, which is stored and seen like them. */
type Stage = 'trust' | 'sign' | 'end';

export class CaChange {
  readonly #options: CaChangeOptions;
  readonly #staged: Staged<Stage>;
  readonly #advancing = new Rerun(() => this.#advance());
  /** What keeps the old root though no sidecar does; undefined: not looked at yet. */
  #holders: readonly string[] | undefined;
  /** The operator said that the old root may go, whoever needs it. */
  #isFinishAsked = false;
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
    const nodes = this.#waitingNodes(this.#isOverdue);
    const waitingFor = nodes.length > 0 ? nodes : (this.#holders ?? []);
    return change.stage === 'trust'
      ? { name: 'new root: every proxy trusts it', waitingFor }
      : { name: 'new root: it signs, the old one goes', waitingFor };
  }

  /** Looks whether a command left another line, or the word that the old root may go. */
  async look(): Promise<void> {
    const { authority, dataDir, logger, passphrase } = this.#options;
    const offer = await loadOffer(dataDir, {
      passphrase,
      trustDomain: authority.trustDomain,
      nowMs: this.#options.clock.now(),
    });
    if (offer !== undefined && authority.change === undefined) {
      if (!authority.has(offer)) {
        await authority.beginChange(offer);
        logger.info({ change: authority.change }, 'another CA was taken over');
        this.#staged.resume('trust');
      }
      await removeOffer(dataDir);
    } else if (offer !== undefined && authority.has(offer)) {
      // A crash came between taking it over and removing it.
      await removeOffer(dataDir);
    }
    await this.advance();
  }

  /** Call whenever a sidecar answered, came or went. */
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
    const { authority, dataDir } = this.#options;
    const { change } = authority;
    if (change === undefined) return;
    this.#isFinishAsked = await isFinishAsked(dataDir, change.oldRootSha256);
    if (this.#isFinishAsked || this.#waitingNodes(this.#isOverdue).length > 0) return;
    this.#holders = await this.#toHolders();
    if (this.#holders.length > 0) this.#lookAgainAfter(LOOK_EVERY_MS);
  }

  async #end(): Promise<void> {
    const { authority, dataDir, logger } = this.#options;
    const root = authority.change?.newRootSha256;
    await authority.endChange();
    if (this.#isFinishAsked) await removeFinish(dataDir);
    logger.info({ root }, 'the old root is trusted no more');
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
      holders.push(`whoever holds a bundle of the old root: ${COMMANDS.finishRotation}`);
    }
    return holders;
  }

  #isDone(stage: Stage, isOverdue: boolean): boolean {
    if (stage === 'end') return true;
    if (stage === 'sign' && this.#isFinishAsked) return true;
    if (this.#waitingNodes(isOverdue).length > 0) return false;
    return stage === 'trust' || this.#holders?.length === 0;
  }

  get #isOverdue(): boolean {
    const { state } = this.#staged;
    return state.kind === 'waiting' && state.isOverdue;
  }

  #waitingNodes(isOverdue: boolean): readonly string[] {
    const { authority, proxies } = this.#options;
    const isSigning = authority.change?.stage === 'sign';
    return [...proxies()]
      .filter(({ state, isCurrent }) => {
        if (isSigning && !isCurrent) return true;
        if (state === 'pending') return isSigning || !isOverdue;
        return state === 'nacked';
      })
      .map(({ node }) => node);
  }

  #onEnter(stage: Stage): void {
    const { authority, logger, onChange } = this.#options;
    this.#holders = undefined;
    this.#isFinishAsked = false;
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
