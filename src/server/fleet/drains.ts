// Instances that are about to be stopped. First their callers are sent endpoints without them; when
// every caller has those, and what was on its way has arrived, their own listeners go: no new
// connections, while what is open ends by itself or after Envoy's drain time. Each step is stored
// before it is taken, so that a server that starts again neither calls them anew nor opens their
// listeners. A drain ends when it is taken back, or when a new Envoy of that node connects: then it
// is there to serve (decision 024).
import { z } from 'zod';
import { type Cancel, type Clock, DAY_MS, Listeners, type Logger } from '../../base/index.js';
import type { JsonStore } from '../../data/index.js';
import type { Mesh, ServiceName } from '../../policy/index.js';
import { isNodeId, type NodeId } from '../../spiffe/index.js';
import { Departures } from './departures.js';
import type { SidecarKey } from './held-table.js';
import type { Members } from './members.js';
import type { SidecarRegistry } from './registry.js';
import { type DrainView, hasClosed, SETTLE_MS, toWaitingCallers } from './waiting-callers.js';

/** One whose sidecar never came back is forgotten after this. */
const FORGET_GONE_MS = DAY_MS;

const recordSchema = z.strictObject({
  node: z.string().refine(isNodeId),
  service: z.custom<ServiceName>((value) => typeof value === 'string'),
  sinceMs: z.number(),
  /** Its listeners are withdrawn. */
  closed: z.boolean(),
});

export const drainsSchema = z.array(recordSchema);
export type DrainRecord = z.infer<typeof recordSchema>;

export interface DrainsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: JsonStore<readonly DrainRecord[]>;
  readonly records: readonly DrainRecord[];
  readonly members: Members;
  readonly registry: SidecarRegistry;
  readonly mesh: () => Mesh;
}

export class Drains {
  readonly #options: DrainsOptions;
  #records: ReadonlyMap<NodeId, DrainRecord>;
  /** Drains whose callers have gone over, until their listeners go. */
  readonly #settling = new Map<NodeId, Cancel>();
  /** Changes are stored one after the other. */
  #storing: Promise<void> = Promise.resolve();
  /** What is to be published has changed; whoever listens publishes before the next answer. */
  readonly changes = new Listeners();
  /** Those that go by their own word. */
  readonly departures: Departures;

  constructor(options: DrainsOptions) {
    this.#options = options;
    this.#records = new Map(options.records.map((record) => [record.node, record]));
    this.departures = new Departures(options, () => this.changes.notify());
    this.#apply();
  }

  has(node: NodeId): boolean {
    return this.#records.has(node);
  }

  /** Whether it is to have no listeners to be called through. */
  isClosed(sidecar: SidecarKey): boolean {
    const { departures } = this;
    return this.#records.get(sidecar.node)?.closed === true || departures.isClosed(sidecar);
  }

  /** Nobody begins a call there any more. @throws MeshError data-unwritable */
  async begin({ node, service }: Pick<DrainRecord, 'node' | 'service'>): Promise<void> {
    const sinceMs = this.#options.clock.now();
    await this.#change((records) => {
      if (records.has(node)) return records;
      return new Map([...records, [node, { node, service, sinceMs, closed: false }]]);
    });
    this.#options.logger.info({ node }, 'an instance is drained: nobody calls it any more');
    this.advance();
  }

  /** It is called again. @returns Whether it was drained. @throws MeshError data-unwritable */
  async end(node: NodeId, why: string): Promise<boolean> {
    const record = this.#records.get(node);
    if (record === undefined) return false;
    await this.#change((records) => new Map([...records].filter(([key]) => key !== node)));
    this.#options.logger.info({ node, why }, 'an instance is no longer drained');
    return true;
  }

  /** Call whenever a sidecar connected, answered or left, and not while endpoints are stale. */
  advance(): void {
    this.departures.advance();
    for (const [node, record] of this.#records) {
      const isSettled = !record.closed && this.#waitingForCallers(record).length === 0;
      if (isSettled && !this.#settling.has(node)) this.#settle(node);
    }
  }

  /** Oldest first, and last those that go by their own word. */
  view(): readonly DrainView[] {
    const ordered = [...this.#records.values()].map((record) => this.#toView(record));
    return [...ordered, ...this.departures.view()];
  }

  stop(): void {
    for (const cancel of this.#settling.values()) cancel();
    this.#settling.clear();
    this.departures.stop();
  }

  #settle(node: NodeId): void {
    const cancel = this.#options.clock.after(SETTLE_MS, () => {
      const record = this.#records.get(node);
      if (record === undefined || record.closed) return;
      if (this.#waitingForCallers(record).length === 0) this.#close(node);
      // Somebody came back meanwhile with what it had before.
      else this.#settling.delete(node);
    });
    this.#settling.set(node, cancel);
  }

  #close(node: NodeId): void {
    const { logger } = this.#options;
    this.#change((records) => {
      const record = records.get(node);
      return record === undefined
        ? records
        : new Map(records).set(node, { ...record, closed: true });
    }).then(
      () => logger.info({ node }, 'a drained instance takes no new connections'),
      (err: unknown) => {
        logger.error({ node, err }, 'a drain could not be stored: it is tried again');
        this.#settle(node);
      },
    );
  }

  /** Durable before visible. */
  #change(
    change: (records: ReadonlyMap<NodeId, DrainRecord>) => ReadonlyMap<NodeId, DrainRecord>,
  ): Promise<void> {
    const done = this.#storing.then(async () => {
      const next = this.#withoutGone(change(this.#records));
      if (next === this.#records) return;
      await this.#options.store.write([...next.values()]);
      const reopened = [...this.#records.values()].filter(
        ({ node, closed }) => closed && next.get(node)?.closed !== true,
      );
      this.#records = next;
      // They are endpoints again when they have their listeners again.
      const nodes = new Set(reopened.map(toNode));
      if (nodes.size > 0) this.#options.registry.unready(({ node }) => nodes.has(node));
      this.#apply();
      this.changes.notify();
    });
    this.#storing = done.catch(() => undefined);
    return done;
  }

  #apply(): void {
    this.#options.registry.setDrained(new Set(this.#records.keys()));
    for (const [node, cancel] of this.#settling) {
      if (this.#records.get(node)?.closed === false) continue;
      cancel();
      this.#settling.delete(node);
    }
  }

  #withoutGone(records: ReadonlyMap<NodeId, DrainRecord>): ReadonlyMap<NodeId, DrainRecord> {
    const { clock, members } = this.#options;
    const isGone = ({ node, sinceMs }: DrainRecord): boolean =>
      clock.now() - sinceMs > FORGET_GONE_MS && !members.hasNode(node);
    const gone = new Set([...records.values()].filter(isGone).map(toNode));
    return gone.size === 0 ? records : new Map([...records].filter(([node]) => !gone.has(node)));
  }

  #toView(record: DrainRecord): DrainView {
    const { node, sinceMs, closed } = record;
    if (!closed) {
      const stage = this.#settling.has(node) ? 'settling' : 'callers';
      return { node, sinceMs, stage, waitingFor: this.#waitingForCallers(record) };
    }
    const isOpen = [...this.#options.members].some(
      (member) => member.stream.auth.node === node && !hasClosed(member),
    );
    return { node, sinceMs, stage: isOpen ? 'inbound' : 'done', waitingFor: isOpen ? [node] : [] };
  }

  #waitingForCallers(record: DrainRecord): readonly NodeId[] {
    return toWaitingCallers(record, this.#options);
  }
}

function toNode({ node }: DrainRecord): NodeId {
  return node;
}
