// Envoys whose configuration is their operators' own, and that take secrets alone: what each takes,
// and what it took a moment ago. Envoy opens a stream for each secret, and each comes back by
// itself when the connection, or this server, was gone: until all of them are back, or a grace is
// over, whoever paces a change of those secrets waits. The table is stored, so that a server which
// starts waits too. Such an Envoy is nobody's endpoint: nothing of this is in the registry.
import { z } from 'zod';
import { afterRunning, type Cancel, type Clock, Watch } from '../../base/index.js';
import type { JsonStore } from '../../data/index.js';
import type { ServiceName } from '../../policy/index.js';
import { isNodeId, type NodeId } from '../../spiffe/index.js';
import { type SidecarKey, toKey } from './held-table.js';
import { tooMany } from './instance-limits.js';
import { GONE_GRACE_MS, START_GRACE_MS } from './registry.js';
import type { SidecarStream } from './sidecar-stream.js';

const entrySchema = z.strictObject({
  node: z.string().refine(isNodeId),
  service: z.custom<ServiceName>((value) => typeof value === 'string'),
  address: z.string(),
  /** Names of what it takes. */
  secrets: z.array(z.string()),
});

export type StaticEnvoyEntry = z.infer<typeof entrySchema>;

export interface StaticEnvoysOptions {
  readonly clock: Clock;
  readonly store: JsonStore<readonly StaticEnvoyEntry[]>;
  /** How many a service may have at once; default: any number. */
  readonly maxPerService?: number | undefined;
  /** A write failed; the table in memory goes on. */
  readonly onStoreError: (error: unknown) => void;
}

interface Taker extends Omit<StaticEnvoyEntry, 'secrets'> {
  /** What each of its open streams asks for. */
  readonly asked: Map<SidecarStream, ReadonlySet<string>>;
  /** What no stream asks for any more, and one may again; by name what ends the grace. */
  readonly missed: Map<string, Cancel>;
  /** No stream is open, and nothing was asked for: a stream may still come. */
  cancelGrace: Cancel | undefined;
}

const NONE: ReadonlySet<string> = new Set();

export class StaticEnvoys {
  /** Of what is stored. */
  static readonly schema = z.array(entrySchema);
  readonly #options: StaticEnvoysOptions;
  readonly #takers = new Map<string, Taker>();
  #stored = '[]';
  /** How many graces are over: whoever waits for a missing one looks again. */
  readonly departed = new Watch(0);

  constructor(options: StaticEnvoysOptions) {
    this.#options = options;
  }

  /** Takes up those that were there, each with the grace to come back. */
  async restore(): Promise<void> {
    for (const { secrets, ...entry } of (await this.#options.store.read()) ?? []) {
      const taker = this.#add({ ...entry, isStatic: true }, entry.service);
      for (const name of secrets) this.#miss(taker, name, START_GRACE_MS);
    }
    this.#stored = JSON.stringify(this.#entries());
  }

  /** A stream of it opens. @throws MeshError instance-limit */
  open(stream: SidecarStream): void {
    const { service } = stream.auth;
    const known = this.#takers.get(toKey(stream.auth));
    if (known === undefined) this.#assertRoom(service);
    const taker = known ?? this.#add(stream.auth, service);
    taker.cancelGrace?.();
    taker.cancelGrace = undefined;
    taker.asked.set(stream, NONE);
  }

  /**
   * What a stream asks for now, of what there is for it: what it has given up itself is not waited
   * for.
   */
  note(stream: SidecarStream, names: ReadonlySet<string>): void {
    const taker = this.#takers.get(toKey(stream.auth));
    const before = taker?.asked.get(stream);
    if (taker === undefined || before === undefined || isSameSet(before, names)) return;
    taker.asked.set(stream, names);
    for (const name of names) {
      taker.missed.get(name)?.();
      taker.missed.delete(name);
    }
    this.#store();
  }

  /** A stream of it has ended. */
  close(stream: SidecarStream): void {
    const taker = this.#takers.get(toKey(stream.auth));
    const names = taker?.asked.get(stream);
    if (taker === undefined || names === undefined) return;
    taker.asked.delete(stream);
    for (const name of names) {
      if (!isAsked(taker, name)) this.#miss(taker, name, GONE_GRACE_MS);
    }
    if (taker.asked.size > 0 || taker.missed.size > 0) return;
    taker.cancelGrace = this.#after(GONE_GRACE_MS, () => this.#lookAtEnd(taker));
  }

  /** Whether it is there already, or may come back within its grace. */
  has(sidecar: SidecarKey): boolean {
    return this.#takers.has(toKey(sidecar));
  }

  /** Nodes of which a secret is no longer asked for, and may be again. */
  missing(): readonly NodeId[] {
    return [...this.#takers.values()].filter(({ missed }) => missed.size > 0).map(toNode);
  }

  /** They are shut out: nobody waits for them. */
  evict(predicate: (entry: Pick<StaticEnvoyEntry, 'node' | 'service'>) => boolean): void {
    for (const [key, taker] of [...this.#takers]) {
      if (!predicate(taker)) continue;
      cancelAll(taker);
      this.#takers.delete(key);
    }
    this.#store();
  }

  /** Ends all timers. */
  stop(): void {
    for (const taker of this.#takers.values()) cancelAll(taker);
  }

  #assertRoom(service: ServiceName): void {
    const { maxPerService = Number.POSITIVE_INFINITY } = this.#options;
    const count = [...this.#takers.values()].filter((one) => one.service === service).length;
    if (count >= maxPerService) throw tooMany(`of service "${service}"`, maxPerService);
  }

  #add({ node, address }: SidecarKey, service: ServiceName): Taker {
    const own = { asked: new Map(), missed: new Map(), cancelGrace: undefined };
    const taker: Taker = { node, service, address, ...own };
    this.#takers.set(toKey({ node, address, isStatic: true }), taker);
    return taker;
  }

  #miss(taker: Taker, name: string, graceMs: number): void {
    const forget = (): void => {
      taker.missed.delete(name);
      this.#lookAtEnd(taker);
      this.#store();
      this.departed.set(this.departed.value + 1);
    };
    taker.missed.get(name)?.();
    taker.missed.set(name, this.#after(graceMs, forget));
  }

  #after(delayMs: number, callback: () => void): Cancel {
    return afterRunning({ clock: this.#options.clock, delayMs, callback });
  }

  #lookAtEnd(taker: Taker): void {
    const key = toKey({ ...taker, isStatic: true });
    if (taker.asked.size > 0 || taker.missed.size > 0 || this.#takers.get(key) !== taker) return;
    this.#takers.delete(key);
  }

  #entries(): readonly StaticEnvoyEntry[] {
    return [...this.#takers.values()]
      .map(({ node, service, address, asked, missed }) => {
        const names = new Set([
          ...missed.keys(),
          ...[...asked.values()].flatMap((all) => [...all]),
        ]);
        return { node, service, address, secrets: [...names].sort() };
      })
      .filter(({ secrets }) => secrets.length > 0);
  }

  #store(): void {
    const entries = this.#entries();
    const text = JSON.stringify(entries);
    if (text === this.#stored) return;
    this.#stored = text;
    this.#options.store.write(entries).catch(this.#options.onStoreError);
  }
}

function isAsked({ asked }: Taker, name: string): boolean {
  return [...asked.values()].some((names) => names.has(name));
}

function isSameSet(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((name) => other.has(name));
}

function cancelAll({ missed, cancelGrace }: Taker): void {
  for (const cancel of missed.values()) cancel();
  cancelGrace?.();
}

function toNode({ node }: Taker): NodeId {
  return node;
}
