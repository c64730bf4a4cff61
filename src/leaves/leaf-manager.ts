// Keeps a valid leaf for every node that is present. It owns the timing and the store; what is to
// be done is `planRenewal`'s answer. A leaf is stored before anyone sees it. A failed issue changes
// nothing: the leaf in force stays, the failure is reported, and it is tried again with growing
// pauses.
// One timer serves all nodes and never sleeps longer than CHECK_EVERY_MS, because timers do not
// count the time a machine is suspended, and a clock can be set: every waking plans anew from the
// time of day.

import assert from 'node:assert';
import {
  type Cancel,
  type Clock,
  HOUR_MS,
  MeshError,
  type Random,
  SECOND_MS,
} from '../base/index.js';
import type { Authority, Leaf } from '../ca/index.js';
import type { DataDir } from '../data/index.js';

import type { NodeId } from '../spiffe/index.js';
import { LeafStore } from './leaf-store.js';
import { isUsable, type LeafSettings, planRenewal, type RenewalState } from './renewal.js';

export interface LeafManagerOptions {
  readonly authority: Authority;
  readonly dataDir: DataDir;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether a serial is revoked: such a leaf is replaced at once. Default: none is. */
  readonly isRevoked?: (serialHex: string) => boolean;
  /** A leaf could not be issued or stored, or a stored one was damaged. Must not throw. */
  readonly onProblem: (problem: LeafProblem) => void;
}

export interface LeafProblem {
  readonly node: NodeId;
  readonly error: unknown;
  /** When it is tried again; undefined where the problem is dealt with. */
  readonly retryAtMs: number | undefined;
}

export type RenewalListener = (node: NodeId, leaf: Leaf) => void;

interface Entry {
  readonly node: NodeId;
  settings: LeafSettings;
  leaf: Leaf | undefined;
  trusted: boolean;
  /** Its root is the one that signs now. */
  current: boolean;
  /** Somebody asked for a new leaf. */
  asked: boolean;
  /** Until then a failed issue is not repeated. */
  retryAtMs: number;
  failures: number;
  /** The work on this node, one after the other. Never rejects. */
  work: Promise<void>;
  renewing: boolean;
}

const CHECK_EVERY_MS = 30 * SECOND_MS;
const SWEEP_EVERY_MS = HOUR_MS;
const FIRST_RETRY_MS = SECOND_MS;
const LAST_RETRY_MS = 60 * SECOND_MS;
/** Renewals in flight; the rest waits for the next waking, which follows at once. */
const MAX_RENEWALS = 16;

export class LeafManager {
  readonly #options: LeafManagerOptions;
  readonly #store: LeafStore;
  readonly #entries = new Map<NodeId, Entry>();
  readonly #listeners = new Set<RenewalListener>();
  #cancelTimer: Cancel | undefined;
  /** When the timer that is set fires. */
  #timerMs = Number.POSITIVE_INFINITY;
  /** Nodes are due that MAX_RENEWALS keeps waiting. */
  #someWait = false;
  #renewals = 0;
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  #sweep: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: LeafManagerOptions) {
    this.#options = options;
    this.#store = new LeafStore(options.dataDir);
  }

  /** The leaf in force of a node that `ensure` was called for. */
  get(node: NodeId): Leaf | undefined {
    return this.#entries.get(node)?.leaf;
  }

  /**
   * The node's leaf by these settings: the one there is where it will do, else a new one. From then
   * on it is renewed until `release`. Where a new one cannot be had and the old one still names the
   * same identity and has not ended, that is returned and the failure reported.
   * @throws MeshError what kept a leaf from being issued or stored; the node is then forgotten,
   * unless it had a leaf.
   */
  async ensure(node: NodeId, settings: LeafSettings): Promise<Leaf> {
    const entry = this.#entries.get(node) ?? this.#enter(node, settings);
    entry.settings = settings;
    try {
      return await this.#enqueue(entry, async () => {
        entry.leaf ??= await this.#load(entry);
        await this.#renew(entry, true);
        assert(entry.leaf !== undefined, 'a leaf is issued or refused');
        return entry.leaf;
      });
    } catch (error) {
      // A node that never got a leaf is retried by its own next request, not by us.
      if (entry.leaf === undefined) this.#forget(entry);
      throw error;
    } finally {
      this.#scheduleFor(entry);
    }
  }

  /**
   * The node is gone: its leaf is renewed no more. The file stays, for its return, until the leaf
   * ends.
   */
  release(node: NodeId): void {
    this.#entries.delete(node);
  }

  /** Whether the node's leaf is of the root that signs now; true for one that has none. */
  isCurrent(node: NodeId): boolean {
    const entry = this.#entries.get(node);
    return entry?.leaf === undefined || entry.current;
  }

  /** The authority's roots have changed: leaves that it doesn't issue any more are renewed. */
  reconsider(): void {
    for (const entry of this.#entries.values()) this.#judge(entry, entry.leaf);
    this.#schedule(this.#options.clock.now());
  }

  /** The same for all of these nodes; resolves when no leaf is being made for them any more. */
  async releaseWhere(predicate: (node: NodeId) => boolean): Promise<void> {
    const entries = [...this.#entries.values()].filter(({ node }) => predicate(node));
    for (const { node } of entries) this.release(node);
    await Promise.all(entries.map(({ work }) => work));
  }

  /**
   * A new leaf for a node, whatever the age of the one it has; whether there is one. `onRenewed`
   * tells of it. Where it can't be had now it is tried again as at any renewal.
   */
  async renewNow(node: NodeId): Promise<boolean> {
    const entry = this.#entries.get(node);
    if (entry === undefined) return false;
    entry.asked = true;
    entry.retryAtMs = 0;
    const renewed = await this.#enqueue(entry, () => this.#renew(entry, false));
    if (renewed) this.#announce(entry);
    this.#scheduleFor(entry);
    return renewed;
  }

  /** New leaves for the nodes whose leaf is revoked. */
  async renewRevoked(): Promise<void> {
    const entries = [...this.#entries.values()].filter(
      ({ leaf }) => leaf !== undefined && this.#isRevoked(leaf),
    );
    await Promise.all(entries.map(({ node }) => this.renewNow(node)));
  }

  /**
   * Calls back when a leaf was renewed by time or urgently (not for what `ensure` returns), after
   * it was stored.
   */
  onRenewed(listener: RenewalListener): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends all timers; resolves when no work is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    await Promise.all([this.#sweep, ...[...this.#entries.values()].map((entry) => entry.work)]);
  }

  #enter(node: NodeId, settings: LeafSettings): Entry {
    const entry: Entry = {
      node,
      settings,
      leaf: undefined,
      trusted: false,
      current: false,
      asked: false,
      retryAtMs: 0,
      failures: 0,
      work: Promise.resolve(),
      renewing: false,
    };
    this.#entries.set(node, entry);
    return entry;
  }

  #enqueue<T>(entry: Entry, work: () => Promise<T>): Promise<T> {
    const result = entry.work.then(work);
    entry.work = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  async #load(entry: Entry): Promise<Leaf | undefined> {
    try {
      const leaf = await this.#store.load(entry.node);
      this.#judge(entry, leaf);
      return leaf;
    } catch (error) {
      if (!(error instanceof MeshError) || error.code !== 'data-damaged') throw error;
      // A leaf can be replaced, unlike a CA: the file is kept for examination and a new one is
      // issued.
      await this.#store.setAside(entry.node);
      this.#options.onProblem({ node: entry.node, error, retryAtMs: undefined });
      return undefined;
    }
  }

  /**
   * Issues and stores a leaf if it is time to; whether it did. @param asked Somebody waits for it.
   */
  async #renew(entry: Entry, asked: boolean): Promise<boolean> {
    const { authority, clock } = this.#options;
    const state = this.#toState(entry);
    if (planRenewal(state).action === 'keep') return false;
    if (entry.retryAtMs > state.nowMs && (!asked || isUsable(state))) return false;
    try {
      const leaf = await authority.issueLeaf(state.settings);
      await this.#store.save(entry.node, leaf, state.nowMs);
      entry.leaf = leaf;
      this.#judge(entry, leaf);
      entry.asked = false;
      entry.failures = 0;
      entry.retryAtMs = 0;
      return true;
    } catch (error) {
      entry.retryAtMs = clock.now() + this.#toPauseMs(entry.failures++);
      this.#options.onProblem({ node: entry.node, error, retryAtMs: entry.retryAtMs });
      if (!asked || isUsable(state)) return false;
      throw error;
    }
  }

  #judge(entry: Entry, leaf: Leaf | undefined): void {
    const { authority } = this.#options;
    // Each reads the chain; a leaf of the root that signs now is vouched for.
    entry.current = leaf !== undefined && authority.isCurrent(leaf.chainPem);
    entry.trusted = entry.current || (leaf !== undefined && authority.vouchesFor(leaf.chainPem));
  }

  #forget(entry: Entry): void {
    if (this.#entries.get(entry.node) === entry) this.#entries.delete(entry.node);
  }

  #toState({ leaf, settings, trusted, current, asked }: Entry): RenewalState {
    const isRevoked = leaf !== undefined && this.#isRevoked(leaf);
    const urgent = isRevoked ? 'revoked' : asked ? 'asked' : undefined;
    return { leaf, settings, trusted, current, urgent, nowMs: this.#options.clock.now() };
  }

  #isRevoked({ serialHex }: Leaf): boolean {
    return this.#options.isRevoked?.(serialHex) === true;
  }

  #announce(entry: Entry): void {
    if (this.#entries.get(entry.node) !== entry || entry.leaf === undefined) return;
    for (const listener of [...this.#listeners]) listener(entry.node, entry.leaf);
  }

  #toPauseMs(failures: number): number {
    const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** failures, LAST_RETRY_MS);
    return pauseMs * (0.5 + this.#options.random.fraction() / 2);
  }

  /** The time at which a node next needs work. */
  #toWakeMs(entry: Entry): number {
    const plan = planRenewal(this.#toState(entry));
    return plan.action === 'keep' ? plan.renewAtMs : entry.retryAtMs;
  }

  /** Wakes in time for that node, if it is to be woken for; all others are in the timer already. */
  #scheduleFor(entry: Entry): void {
    const latestMs = this.#options.clock.now() + CHECK_EVERY_MS;
    const rests = entry.leaf === undefined || entry.renewing;
    this.#schedule(rests ? latestMs : Math.min(latestMs, this.#toWakeMs(entry)));
  }

  #schedule(wakeMs: number): void {
    if (this.#closed || this.#entries.size === 0 || this.#timerMs <= wakeMs) return;
    this.#cancelTimer?.();
    this.#timerMs = wakeMs;
    const delayMs = Math.max(0, wakeMs - this.#options.clock.now());
    this.#cancelTimer = this.#options.clock.after(delayMs, () => this.#wake());
  }

  #wake(): void {
    this.#timerMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#options.clock.now();
    let wakeMs = nowMs + CHECK_EVERY_MS;
    this.#someWait = false;
    for (const entry of this.#entries.values()) {
      if (entry.leaf === undefined || entry.renewing) continue;
      const dueMs = this.#toWakeMs(entry);
      if (dueMs > nowMs) wakeMs = Math.min(wakeMs, dueMs);
      else if (this.#renewals < MAX_RENEWALS) this.#startRenewal(entry);
      else this.#someWait = true;
    }
    if (Math.abs(nowMs - this.#sweptAtMs) >= SWEEP_EVERY_MS) this.#startSweep(nowMs);
    this.#schedule(wakeMs);
  }

  #startRenewal(entry: Entry): void {
    entry.renewing = true;
    this.#renewals++;
    void this.#enqueue(entry, async () => {
      const renewed = await this.#renew(entry, false);
      entry.renewing = false;
      this.#renewals--;
      if (renewed) this.#announce(entry);
      this.#scheduleFor(entry);
      // A waking looks at every node: not for each single place that becomes free.
      const hasRoom = this.#renewals <= MAX_RENEWALS / 2;
      if (this.#someWait && hasRoom) this.#schedule(this.#options.clock.now());
    });
  }

  #startSweep(nowMs: number): void {
    this.#sweptAtMs = nowMs;
    this.#sweep = this.#store
      .removeEnded(nowMs, (node) => this.#entries.has(node))
      .then(
        () => undefined,
        // Old files cost only room; the next sweep tries again.
        () => undefined,
      );
  }
}
