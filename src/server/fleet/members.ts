// Who is connected, and in what state each is. It does nothing by itself: `Fleet` writes it, and
// whoever paces a change or shows the fleet reads it.
import assert from 'node:assert';
import { type Clock, Listeners, toRfc3339 } from '../../base/index.js';
import type { Leaf } from '../../ca/index.js';
import type { LeafManager } from '../../leaves/index.js';
import type { ServiceName } from '../../policy/index.js';
import type { Snapshot, TypeReport } from '../../xds/index.js';
import type { ProxyState } from '../mesh/index.js';
import type { Statistics, StatisticsView } from '../telemetry/index.js';
import { takesCallers, worstOf } from './asked-secrets.js';
import type { Unbound } from './bind-failure.js';
import { type SidecarKey, toKey } from './held-table.js';
import type { Hold } from './hold.js';
import { Member } from './member.js';
import type { SidecarStream } from './sidecar-stream.js';

/** What an operator is shown of one sidecar, or of one static Envoy. */
export interface MemberView {
  /** Its newest. */
  readonly stream: SidecarStream;
  /** How it stands with each type that it has asked for; a static Envoy on each of its streams. */
  readonly reports: readonly TypeReport[];
  readonly leaf: Leaf | undefined;
  /** What the sidecar is to have; undefined before its certificate is there. */
  readonly snapshot: Snapshot | undefined;
  readonly state: ProxyState;
  /** Whether it has the newest anchors and leaf, though it may lack or reject something else. */
  readonly hasSecrets: boolean;
  /** Leaves that it may hold, whatever it was sent since; empty: it was sent none. */
  readonly mayHold: readonly Leaf[];
  /** It takes what edits of the mesh change; of static Envoys few do. */
  readonly followsMesh: boolean;
  /** What it reports of itself. */
  readonly statistics: StatisticsView;
  /** The same of what it was sent, which may be less than the newest mesh. */
  readonly ownState: ProxyState;
  /** Why it doesn't have the newest mesh; undefined: it has, or lacks it for another reason. */
  readonly hold: Hold | undefined;
  /** Why it doesn't have all of that, beside what Envoy itself rejected. */
  readonly troubles: readonly string[];
  /** Listeners that can't bind their address, by themselves. */
  readonly unbound: readonly Unbound[];
}

/** A sidecar that is connected and waits for its address, which another one has. */
export interface KeptOut {
  readonly node: string;
  readonly service: ServiceName;
  readonly address: string;
  /** The sidecar that has the address. */
  readonly holder: string | undefined;
  readonly sinceMs: number;
}

export interface RefusedStream {
  readonly stream: SidecarStream;
  readonly error: unknown;
  /** The sidecar of another service that has its address. */
  readonly holder?: string | undefined;
}

export interface MembersOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly leaves: Pick<LeafManager, 'get' | 'troubleOf'>;
  readonly statistics: Pick<Statistics, 'viewOf'>;
}

export class Members implements Iterable<Member> {
  readonly #options: MembersOptions;
  readonly #members = new Map<SidecarStream, Member>();
  readonly #keptOut = new Map<SidecarStream, KeptOut>();
  /** A sidecar connected, answered or left. */
  readonly changes = new Listeners();
  readonly joined = new Listeners<[stream: SidecarStream]>();
  readonly left = new Listeners<[stream: SidecarStream]>();
  /** It had proved who it is, and may not join all the same. */
  readonly refused = new Listeners<[refused: RefusedStream]>();

  constructor(options: MembersOptions) {
    this.#options = options;
  }

  /** A copy: a stream may be closed while it is gone through. */
  [Symbol.iterator](): Iterator<Member> {
    return [...this.#members.values()].values();
  }

  add(stream: SidecarStream): Member {
    const { leaves } = this.#options;
    const member = new Member(stream, () => leaves.troubleOf(stream.auth.node));
    this.#members.set(stream, member);
    this.joined.notify(stream);
    return member;
  }

  /** Undefined for a stream that was refused, or is closed. */
  of(stream: SidecarStream): Member | undefined {
    return this.#members.get(stream);
  }

  /** Whether it was there. */
  delete(stream: SidecarStream): boolean {
    if (!this.#members.delete(stream)) return false;
    this.left.notify(stream);
    return true;
  }

  /** It waits for its address; the same again where somebody else has that now. */
  keepOut(stream: SidecarStream, holder: string | undefined): void {
    const { node, service, address } = stream.auth;
    const sinceMs = this.#keptOut.get(stream)?.sinceMs ?? this.#options.clock.now();
    this.#keptOut.set(stream, { node, service, address, holder, sinceMs });
  }

  /** It waits no longer. */
  letIn(stream: SidecarStream): void {
    this.#keptOut.delete(stream);
  }

  /** Oldest first. */
  keptOut(): readonly KeptOut[] {
    return [...this.#keptOut.values()];
  }

  hasNode(node: string): boolean {
    return [...this.#members.keys()].some(({ auth }) => auth.node === node);
  }

  hasSidecar(sidecar: SidecarKey): boolean {
    const key = toKey(sidecar);
    return [...this.#members.keys()].some(({ auth }) => toKey(auth) === key);
  }

  /**
   * Each connected sidecar once: of several streams of one, the newest. A static Envoy has a stream
   * for each of its secrets, and all of them count.
   */
  view(): readonly MemberView[] {
    const byKey = new Map<string, Member[]>();
    for (const member of this.#members.values()) {
      const { auth } = member.stream;
      const key = toKey(auth);
      const others = auth.isStatic ? (byKey.get(key) ?? []) : [];
      byKey.set(key, [...others, member]);
    }
    return [...byKey.values()].map((members) => this.#toView(members));
  }

  #toView(members: readonly Member[]): MemberView {
    const newest = members.at(-1);
    assert(newest !== undefined, 'a sidecar that is connected has a stream');
    const { stream, sent, unbound } = newest;
    const leaf = this.#options.leaves.get(stream.auth.node);
    const statistics = this.#options.statistics.viewOf(stream);
    // It took all of it, and says itself that it isn't in force yet.
    const toJudged = (one: ProxyState): ProxyState =>
      one === 'synced' && statistics.verdict === 'warming' ? 'pending' : one;
    const trouble = leaf && toPeriodTrouble(leaf, this.#options.clock.now());
    const troubles = new Set(members.flatMap((member) => member.troubles));
    const isOut = trouble !== undefined;
    return {
      ...{ stream, snapshot: sent?.snapshot, leaf, unbound, statistics, hold: newest.holdOf() },
      // Only who shows a sidecar asks for them, and a fleet is looked at often.
      get reports() {
        return members.flatMap((member) => member.stream.state());
      },
      state: isOut ? 'nacked' : toJudged(worstOf(members.map((one) => one.state))),
      ownState: isOut ? 'nacked' : toJudged(worstOf(members.map((one) => one.ownState))),
      get hasSecrets() {
        // Of a static Envoy's streams each has a part of them.
        return stream.auth.isStatic !== true && members.every((one) => one.hasSecrets);
      },
      get mayHold() {
        return members.flatMap((one) => one.mayHold);
      },
      followsMesh: members.some(isFollower),
      troubles: [...troubles, ...(trouble === undefined ? [] : [trouble])],
    };
  }
}

function isFollower({ stream, sent }: Member): boolean {
  return !stream.auth.isStatic || (sent !== undefined && takesCallers(stream, sent.snapshot));
}

function toPeriodTrouble({ notBeforeMs, notAfterMs }: Leaf, nowMs: number): string | undefined {
  if (notAfterMs <= nowMs) return `its certificate ended ${toRfc3339(notAfterMs)}`;
  if (notBeforeMs > nowMs) return `its certificate begins ${toRfc3339(notBeforeMs)}`;
  return undefined;
}
