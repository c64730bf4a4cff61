// A changed configuration goes to one sidecar of each kind first, and to the others on its word
// (DESIGN.md, "Canary by construction"). A kind are the sidecars of one service that are sent the
// same: by one version of Envoy, listening in the same way. Where the first one rejects it, the
// others stay with the mesh that their kind last took, until a newer mesh comes or that sidecar is
// mended or gone; one that joins meanwhile gets that mesh too. A mute one is passed over.
//
// What isn't of the mesh goes to all at once: endpoints, certificates, trust anchors, revocations.
import { type Cancel, type Clock, SECOND_MS } from '../../base/index.js';
import { findDeclared, type ServiceName } from '../../policy/index.js';
import { ORDER, type Snapshot, TYPE_URLS } from '../../xds/index.js';
import type { MeshInForce, ProxyState } from '../mesh/index.js';
import type { Hold } from './hold.js';
import type { Member } from './member.js';

/** How long the first sidecar of a kind may take to answer before another is the first. */
export const CANARY_DEADLINE_MS = 5 * SECOND_MS;

interface Trial {
  readonly of: MeshInForce;
  readonly canary: Member;
  /** Those that were mute, or for whom nothing could be made. */
  readonly passed: ReadonlySet<Member>;
  readonly isRejected: boolean;
  readonly cancel: Cancel;
}

interface Kind {
  readonly service: ServiceName;
  readonly members: Set<Member>;
  /** What its sidecars have taken last; undefined: they have had none yet. */
  good: MeshInForce | undefined;
  trial: Trial | undefined;
}

export interface Sending {
  readonly before: { readonly snapshot: Snapshot | undefined; readonly state: ProxyState };
  readonly after: Snapshot;
}

export interface CanariesOptions {
  readonly clock: Pick<Clock, 'after'>;
  /** The mesh that all are to have. */
  readonly newest: () => MeshInForce;
  /** These are to be sent what `meshOf` now says. */
  readonly onRelease: (members: readonly Member[]) => void;
}

export class Canaries {
  readonly #options: CanariesOptions;
  readonly #kinds = new Map<string, Kind>();
  readonly #kindOf = new Map<Member, Kind>();

  constructor(options: CanariesOptions) {
    this.#options = options;
  }

  add(member: Member): void {
    const key = toKindKey(member);
    const { service } = member.stream.auth;
    const made: Kind = { service, members: new Set(), good: undefined, trial: undefined };
    const kind = this.#kinds.get(key) ?? made;
    this.#kinds.set(key, kind);
    kind.members.add(member);
    this.#kindOf.set(member, kind);
    // Whoever comes first has nothing to lose.
    kind.good ??= this.#options.newest();
  }

  delete(member: Member): void {
    const kind = this.#kindOf.get(member);
    if (kind === undefined) return;
    this.#kindOf.delete(member);
    kind.members.delete(member);
    if (kind.members.size === 0) {
      kind.trial?.cancel();
      this.#kinds.delete(toKindKey(member));
    } else if (kind.trial?.canary === member) this.#pass(kind, kind.trial);
  }

  /** Takes up the newest mesh. @returns those that are to be sent it before others are. */
  begin(): readonly Member[] {
    const newest = this.#options.newest();
    for (const kind of this.#kinds.values()) {
      if (isSame(kind.trial?.of ?? kind.good, newest)) continue;
      const old = kind.trial;
      old?.cancel();
      kind.trial = undefined;
      // An edit that was taken back: the others have it.
      if (isSame(kind.good, newest)) continue;
      this.#try(kind, newest, { passed: new Set(), preferred: old?.canary });
    }
    return [...this.#kinds.values()].flatMap(({ trial }) => trial?.canary ?? []);
  }

  /** What this sidecar is to have now. */
  meshOf(member: Member): MeshInForce {
    const kind = this.#kindOf.get(member);
    const { newest } = this.#options;
    if (kind === undefined) return newest();
    const { trial, good } = kind;
    if (trial === undefined) return good ?? newest();
    const hasIt = trial.canary === member || trial.passed.has(member);
    return hasIt ? trial.of : (good ?? trial.of);
  }

  /** Undefined: it has the newest. */
  holdOf(member: Member): Hold | undefined {
    const trial = this.#kindOf.get(member)?.trial;
    if (trial === undefined || trial.canary === member || trial.passed.has(member)) {
      return undefined;
    }
    return { canary: trial.canary.stream.auth.node, isRejected: trial.isRejected };
  }

  /** Whether the others of its kind are held because this one rejected what it was sent. */
  isRejected(member: Member): boolean {
    const trial = this.#kindOf.get(member)?.trial;
    return trial?.canary === member && trial.isRejected;
  }

  /** What the sidecar was just sent, after what it had and how it stood with that. */
  noteSent(member: Member, { before, after }: Sending): void {
    const kind = this.#kindOf.get(member);
    const { snapshot, state } = before;
    if (kind?.trial?.canary !== member || snapshot === undefined || !isWell(state)) return;
    if (SHAPES.every((typeUrl) => snapshot.get(typeUrl) === after.get(typeUrl))) {
      this.#accept(kind, kind.trial);
    }
  }

  /** Nothing could be made for it: that says nothing of the others. */
  noteStuck(member: Member): void {
    const kind = this.#kindOf.get(member);
    if (kind?.trial?.canary === member) this.#pass(kind, kind.trial);
  }

  /** It took or rejected something. */
  look(member: Member): void {
    const kind = this.#kindOf.get(member);
    const trial = kind?.trial;
    if (kind === undefined || trial?.canary !== member) return;
    const { ownState } = member;
    if (isWell(ownState)) this.#accept(kind, trial);
    else if (ownState === 'nacked' && !trial.isRejected) {
      trial.cancel();
      kind.trial = { ...trial, isRejected: true, cancel: () => undefined };
    }
  }

  stop(): void {
    for (const { trial } of this.#kinds.values()) trial?.cancel();
  }

  #try(
    kind: Kind,
    of: MeshInForce,
    { passed, preferred }: Pick<Trial, 'passed'> & { readonly preferred: Member | undefined },
  ): void {
    const left = [...kind.members].filter((member) => !passed.has(member));
    const well = left.filter(({ ownState }) => isWell(ownState));
    const known = left.find((member) => member === preferred);
    const canary = known ?? well[0] ?? left[0];
    // Where nobody answers nobody is protected by waiting. The only one needs no leave of others,
    // and what isn't declared any more is sent nothing that could be rejected.
    const isDeclared = findDeclared(of.mesh, kind.service) !== undefined;
    if (canary === undefined || kind.members.size === 1 || !isDeclared) {
      kind.good = of;
      kind.trial = undefined;
      return;
    }
    const cancel = this.#options.clock.after(CANARY_DEADLINE_MS, () => {
      if (kind.trial !== undefined && kind.trial.canary === canary) this.#pass(kind, kind.trial);
    });
    kind.trial = { of, canary, passed, isRejected: false, cancel };
  }

  /** Another one is to be the first. */
  #pass(kind: Kind, trial: Trial): void {
    trial.cancel();
    const passed = new Set([...trial.passed, trial.canary]);
    this.#try(kind, trial.of, { passed, preferred: undefined });
    const next: Trial | undefined = kind.trial;
    this.#options.onRelease(next === undefined ? [...kind.members] : [next.canary]);
  }

  #accept(kind: Kind, trial: Trial): void {
    trial.cancel();
    kind.good = trial.of;
    kind.trial = undefined;
    this.#options.onRelease([...kind.members].filter((member) => member !== trial.canary));
  }
}

/** What is the mesh's, and not only endpoints or secrets. */
const SHAPES = ORDER.filter(
  (typeUrl) => typeUrl !== TYPE_URLS.endpoint && typeUrl !== TYPE_URLS.secret,
);

/** It has what it was sent, as far as it ever will. */
function isWell(state: ProxyState): boolean {
  return state === 'synced' || state === 'unbound';
}

function isSame(a: MeshInForce | undefined, b: MeshInForce): boolean {
  return a !== undefined && a.mesh === b.mesh && a.marks === b.marks;
}

function toKindKey({ stream }: Member): string {
  const { auth, node, variant } = stream;
  const { userAgentName: name, userAgentVersion: version } = node;
  return JSON.stringify([auth.service, auth.listen, variant, name, version]);
}
