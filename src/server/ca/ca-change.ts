// Paces a change of root, so that it fails no request (DESIGN.md "Phases"): every sidecar trusts
// both roots before anybody shows a leaf of the new one; every sidecar has such a leaf, and every
// certificate handed out under the old root has ended, before the old one goes. How far that goes
// by itself, and whether it goes back, is the operator's word (decision 045). The stages themselves
// are the authority's, which stores each before it is seen; a server that was killed goes on where
// it was. When a step is due is said in ca-steps.ts.

import { type Cancel, type Clock, type Logger, MINUTE_MS, Rerun } from '../../base/index.js';
import type { CaProgress } from '../../ca/change/index.js';
import type { CaChain, CaStep, ChangeGoal, LocalAuthority, RootChange } from '../../ca/index.js';
import { STORE_RETRY_MS, Staged } from '../mesh/index.js';
import { type CaPhase, toPhase } from './ca-phase.js';
import { type CaProxy, isAtGoal, isStageDone, toAwaited } from './ca-steps.js';
import { findRootHolders, type RootHolder, type RootHoldersOptions } from './root-holders.js';

/** What needs the old root, beside sidecars, is looked at this often. */
const LOOK_EVERY_MS = MINUTE_MS;

export interface CaChangeOptions extends RootHoldersOptions {
  readonly authority: LocalAuthority;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly proxies: () => Iterable<CaProxy>;
  /**
   * The trust anchors have changed, or leaves are issued by another CA.
   * @param isUrgent No leaf of the old one may wait.
   */
  readonly onChange: (isUrgent: boolean) => void;
}

/** The stages of the authority itself, and its end, which is stored and seen like them. */
type Stage = 'trust' | 'sign' | 'end';

export class CaChange {
  readonly #options: CaChangeOptions;
  readonly #staged: Staged<Stage>;
  readonly #advancing = new Rerun(() => this.#advance());
  /** What keeps the old root though no sidecar does; undefined: not looked at yet. */
  #holders: readonly RootHolder[] | undefined;
  /** The root that the operator lets go, whoever needs it. */
  #finishAsked: string | undefined;
  /** Since when each node is waited for. */
  readonly #since = new Map<string, number>();
  /** The operator's word is being stored: no step is taken meanwhile. */
  #steering = 0;
  #cancelLook: Cancel | undefined;

  constructor(options: CaChangeOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.#staged = new Staged<Stage>({
      clock,
      store: (stage) => (stage === 'sign' ? this.#sign() : this.#end()),
      onStoreError: (err) => logger.error({ err }, 'the change of root waits: it is tried again'),
      onEnter: (stage) => this.#onEnter(stage),
      isDone: (stage, isOverdue) => this.#isDone(stage, isOverdue),
      next: (stage) => ({ trust: 'sign', sign: 'end', end: undefined })[stage] as Stage | undefined,
    });
  }

  /** Goes on with a change that was under way. */
  start(): void {
    const { change } = this;
    if (change !== undefined) this.#staged.resume(change.stage);
  }

  async stop(): Promise<void> {
    this.#staged.stop();
    await this.#advancing.settled();
    this.#cancelLook?.();
  }

  /** The change of root that is under way. */
  get change(): RootChange | undefined {
    return this.#options.authority.change;
  }

  /** The stage that is running; undefined where no root is being changed. */
  get phase(): CaPhase | undefined {
    const { change } = this;
    return change && toPhase(change, this.progress);
  }

  /** For receipts and status. */
  get progress(): CaProgress {
    const { change } = this;
    if (change === undefined) return { waitingFor: [] };
    const { stage, until, isBack, isTainted } = change;
    const steps = { stage, until, isBack, isTainted };
    const nodes = this.#nodes();
    if (nodes.length > 0) {
      const since = (node: string): number => this.#since.get(node) ?? change.sinceMs;
      const waits = nodes.map((node) => ({ node, sinceMs: since(node) }));
      return { ...steps, waitingFor: [...nodes], nodes: waits };
    }
    if (isAtGoal(change)) return { ...steps, waitingFor: [] };
    const holders = this.#holders ?? [];
    if (holders.length === 0) return { ...steps, waitingFor: [] };
    return { ...steps, waitingFor: holders.map(({ text }) => text), holders: [...holders] };
  }

  /**
   * Takes over another chain, as far as `until`.
   * @throws MeshError as `LocalAuthority.beginChange`
   */
  async take(chain: CaChain, until: ChangeGoal): Promise<void> {
    const { authority, logger, onChange } = this.#options;
    await authority.beginChange(chain, until);
    logger.info({ change: authority.change }, 'another CA was taken over');
    // Another issuing CA under the same root takes no stages.
    if (authority.change === undefined) onChange(false);
    else this.#staged.resume('trust');
  }

  /** The operator's word on the change that is under way. @throws MeshError as the authority */
  async steer(step: CaStep): Promise<void> {
    const { authority, logger, onChange } = this.#options;
    this.#steering++;
    try {
      if (step === 'abort') await this.#goBack();
      else await authority.steer(step);
    } finally {
      this.#steering--;
    }
    logger.info({ step, change: this.change }, 'the change of root goes another way');
    this.#holders = undefined;
    if (step === 'taint') onChange(true);
    await this.advance();
  }

  /** The root that goes may go now, whoever needs it. */
  async finish(goingRootSha256: string): Promise<void> {
    this.#finishAsked = goingRootSha256;
    await this.advance();
  }

  /** Call whenever a sidecar connected, answered or left. */
  advance(): Promise<void> {
    return this.#advancing.run();
  }

  async #goBack(): Promise<void> {
    const { authority } = this.#options;
    const before = authority.change;
    await authority.steer('abort');
    const { change } = authority;
    if (change?.isBack === before?.isBack && change?.sinceMs === before?.sinceMs) return;
    this.#staged.resume(change === undefined ? 'end' : 'sign');
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
    this.#noteSince();
  }

  async #lookAtHolders(): Promise<void> {
    const { change } = this;
    if (change === undefined || isAtGoal(change)) return;
    if (this.#isFinishAsked || this.#nodes().length > 0) return;
    this.#holders = await findRootHolders(this.#options);
    if (this.#holders.length > 0) this.#lookAgainAfter(LOOK_EVERY_MS);
  }

  /** Only the change that it was decided for: the operator may have gone back meanwhile. */
  async #sign(): Promise<void> {
    await this.#options.authority.signByNew();
  }

  async #end(): Promise<void> {
    const { authority, logger } = this.#options;
    const root = this.change?.goingRootSha256;
    await authority.endChange();
    if (this.change === undefined) logger.info({ root }, 'that root is no longer trusted');
  }

  #isDone(stage: Stage, isOverdue: boolean): boolean {
    const { change } = this;
    if (stage === 'end' || change === undefined) return true;
    if (this.#steering > 0) return false;
    const awaited = toAwaited(change, this.#options.proxies(), isOverdue);
    const holders = this.#holders;
    return isStageDone({ change, awaited, holders, isFinishAsked: this.#isFinishAsked });
  }

  get #isFinishAsked(): boolean {
    const { change } = this;
    return change !== undefined && change.goingRootSha256 === this.#finishAsked;
  }

  #nodes(): readonly string[] {
    const { change } = this;
    const { state } = this.#staged;
    const isOverdue = state.kind === 'waiting' && state.isOverdue;
    return change === undefined ? [] : toAwaited(change, this.#options.proxies(), isOverdue);
  }

  #noteSince(): void {
    const nodes = new Set(this.#nodes());
    for (const node of this.#since.keys()) if (!nodes.has(node)) this.#since.delete(node);
    const nowMs = this.#options.clock.now();
    for (const node of nodes) if (!this.#since.has(node)) this.#since.set(node, nowMs);
  }

  #onEnter(stage: Stage): void {
    const { logger, onChange } = this.#options;
    const { change } = this;
    this.#holders = undefined;
    this.#since.clear();
    this.#cancelLook?.();
    onChange(change?.isTainted === true);
    if (stage === 'end') return;
    logger.info({ ...change }, 'the root is being changed');
    void this.advance();
  }

  #lookAgainAfter(delayMs: number): void {
    this.#cancelLook?.();
    this.#cancelLook = this.#options.clock.after(delayMs, () => void this.advance());
  }
}
