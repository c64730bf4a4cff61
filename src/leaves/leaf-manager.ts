// Keeps a valid leaf for every node that is present. It owns the timing; what is to be done is
// `planRenewal`'s answer, and `LeafRenewer` does it.
// One timer serves all nodes and never sleeps longer than CHECK_EVERY_MS, because timers do not
// count the time a machine is suspended, and a clock can be set: every waking plans anew from the
// time of day.

import assert from 'node:assert';
import { type Cancel, Listeners, SECOND_MS } from '../base/index.js';
import type { Leaf } from '../ca/index.js';
import type { DataDir } from '../data/index.js';
import type { NodeId } from '../spiffe/index.js';
import { AwayLeaves } from './away-leaves.js';
import { type Holding, toReach, widen } from './holding.js';
import { LeafEntry } from './leaf-entry.js';
import { LeafRenewer, type LeafRenewerOptions } from './leaf-renewer.js';
import { LeafStore } from './leaf-store.js';
import { LeafSweep } from './leaf-sweep.js';
import type { LeafSettings } from './renewal.js';
import { WakeTimer } from './wake-timer.js';

export interface LeafManagerOptions extends LeafRenewerOptions {
  readonly dataDir: DataDir;
}

export type RenewalListener = (node: NodeId, leaf: Leaf) => void;

const CHECK_EVERY_MS = 30 * SECOND_MS;
/** Renewals in flight; the rest waits for the next waking, which follows at once. */
const MAX_RENEWALS = 16;

export class LeafManager {
  readonly #options: LeafManagerOptions;
  readonly #store: LeafStore;
  /** What nodes took along that were released. */
  readonly away: AwayLeaves;
  readonly #renewer: LeafRenewer;
  readonly #entries = new Map<NodeId, LeafEntry>();
  readonly #listeners = new Listeners<[node: NodeId, leaf: Leaf]>();
  readonly #timer: WakeTimer;
  readonly #sweep: LeafSweep;
  /** Nodes are due that MAX_RENEWALS keeps waiting. */
  #someWait = false;
  #renewals = 0;

  constructor(options: LeafManagerOptions) {
    this.#options = options;
    this.#store = new LeafStore(options.dataDir);
    this.away = new AwayLeaves(this.#store);
    this.#sweep = new LeafSweep(this.#store, options.clock);
    this.#renewer = new LeafRenewer(options, this.#store);
    this.#timer = new WakeTimer(options.clock, () => this.#wake());
  }

  /** The leaf in force of a node that `ensure` was called for. */
  get(node: NodeId): Leaf | undefined {
    return this.#entries.get(node)?.leaf;
  }

  /**
   * Why a node that `ensure` was called for has no leaf that will do, as it is now; undefined: it
   * has one, or none was asked for yet.
   */
  troubleOf(node: NodeId): unknown {
    const entry = this.#entries.get(node);
    return entry && this.#renewer.troubleOf(entry);
  }

  /**
   * The node's leaf by these settings: the one there is where it will do, else a new one. From then
   * on it is renewed until `release`. Where a new one cannot be had and the old one still names the
   * same identity and has not ended, that is returned and the failure reported.
   * @param holding By what whoever gets the leaf proved itself: a revocation of its certificate
   *   concerns the leaf too, and the leaf proves no more addresses.
   * @throws MeshError what kept a leaf from being issued or stored; the node is then forgotten,
   * unless it had a leaf.
   */
  async ensure(node: NodeId, settings: LeafSettings, holding: Holding = {}): Promise<Leaf> {
    const nowMs = this.#options.clock.now();
    const entry = this.#entries.get(node) ?? new LeafEntry(node, settings, nowMs);
    this.#entries.set(node, entry);
    entry.follow(settings, nowMs);
    try {
      return await entry.enqueue(async () => {
        if (entry.leaf === undefined) await this.#renewer.load(entry);
        const { shownSerialHex, addresses } = holding;
        if (shownSerialHex !== undefined) entry.shown.add(shownSerialHex);
        entry.reach = widen(entry.reach, toReach(addresses));
        await this.#renewer.renew(entry, true);
        await this.#store.noteHolders(node, entry);
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
   * The node is gone: its leaf is no longer renewed. The file stays, for its return, until the leaf
   * ends. @param took Leaves that it may hold; none: the newest.
   */
  release(node: NodeId, took: readonly Leaf[] = []): void {
    this.away.note(node, took.length > 0 ? took : [this.get(node)]);
    this.#entries.delete(node);
  }

  /** The node keeps its leaf for as long as that lasts, until `ensure` is called again. */
  rest(node: NodeId): void {
    Object.assign(this.#entries.get(node) ?? {}, { rests: true });
  }

  /** Whether the node's leaf is of the root that signs now; true for one that has none. */
  isCurrent(node: NodeId): boolean {
    const entry = this.#entries.get(node);
    return entry?.leaf === undefined || entry.current;
  }

  /** Whether the node's leaf is of a root that peers trust. */
  isTrusted(node: NodeId): boolean {
    return this.#entries.get(node)?.trusted === true;
  }

  /**
   * The authority's roots have changed, or the clock was set: leaves that will not do any more are
   * renewed.
   * @param isUrgent Also those that could not be renewed a moment ago, without their pause.
   */
  reconsider(isUrgent = false): void {
    for (const entry of this.#entries.values()) {
      this.#renewer.judge(entry);
      if (isUrgent && !entry.current) entry.endPause();
    }
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
   * reports it. Where it can't be had now it is tried again as at any renewal.
   */
  async renewNow(node: NodeId): Promise<boolean> {
    const entry = this.#entries.get(node);
    if (entry === undefined) return false;
    Object.assign(entry, { asked: true, retryAtMs: 0 });
    const renewed = await entry.enqueue(() => this.#renewer.renew(entry, false));
    if (renewed) this.#announce(entry);
    this.#scheduleFor(entry);
    return renewed;
  }

  /** New leaves for the nodes whose leaf is revoked. */
  async renewRevoked(): Promise<void> {
    const entries = [...this.#entries.values()].filter((one) => this.#renewer.hasRevokedLeaf(one));
    await Promise.all(entries.map(({ node }) => this.renewNow(node)));
  }

  /**
   * Calls back when a leaf was renewed by time or urgently (not for what `ensure` returns), after
   * it was stored.
   */
  onRenewed(listener: RenewalListener): Cancel {
    return this.#listeners.add(listener);
  }

  /** Ends all timers; resolves when no work is under way. */
  async close(): Promise<void> {
    this.#timer.stop();
    const works = [...this.#entries.values()].map(({ work }) => work);
    await Promise.all([this.#sweep.settled(), ...works]);
  }

  #forget(entry: LeafEntry): void {
    if (this.#entries.get(entry.node) === entry) this.#entries.delete(entry.node);
  }

  #announce(entry: LeafEntry): void {
    if (this.#entries.get(entry.node) !== entry || entry.leaf === undefined) return;
    this.#listeners.notify(entry.node, entry.leaf);
  }

  /** Wakes in time for that node, if it is to be woken for; all others are in the timer already. */
  #scheduleFor(entry: LeafEntry): void {
    const dueMs = entry.isResting ? Number.POSITIVE_INFINITY : this.#renewer.toWakeMs(entry);
    this.#schedule(Math.min(this.#options.clock.now() + CHECK_EVERY_MS, dueMs));
  }

  #schedule(wakeMs: number): void {
    if (this.#entries.size > 0) this.#timer.wakeAt(wakeMs);
  }

  #wake(): void {
    const nowMs = this.#options.clock.now();
    let wakeMs = nowMs + CHECK_EVERY_MS;
    this.#someWait = false;
    for (const entry of this.#entries.values()) {
      if (entry.isResting) continue;
      const dueMs = this.#renewer.toWakeMs(entry, nowMs);
      if (dueMs > nowMs) wakeMs = Math.min(wakeMs, dueMs);
      else if (this.#renewals < MAX_RENEWALS) this.#startRenewal(entry);
      else this.#someWait = true;
    }
    this.#sweep.look((node) => this.#entries.has(node));
    this.#schedule(wakeMs);
  }

  #startRenewal(entry: LeafEntry): void {
    entry.renewing = true;
    this.#renewals++;
    void entry.enqueue(async () => {
      const renewed = await this.#renewer.renew(entry, false);
      entry.renewing = false;
      this.#renewals--;
      if (renewed) this.#announce(entry);
      this.#scheduleFor(entry);
      // A waking looks at every node: not for each single place that becomes free.
      const hasRoom = this.#renewals <= MAX_RENEWALS / 2;
      if (this.#someWait && hasRoom) this.#schedule(this.#options.clock.now());
    });
  }
}
