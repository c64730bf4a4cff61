import { strict as assert } from 'node:assert';
import type { Mesh, ServiceName } from '../../src/policy/index.js';
import { look, passed, toLacking } from '../../src/server/mesh/look-tracks.js';
import type { ProxyState, Sidecar, Track } from '../../src/server/mesh/track.js';
import { edit, openTracks, settledTracks, type Tracks } from '../../src/server/mesh/tracks.js';
import { type Had, type Moment, momentsOf } from './change.js';

// The tracks of a change, driven as slowly as they allow: a sidecar has something new only when the
// test says so, and is then known to have it.

/** By node. */
const SERVICES = { web: 'web', batch: 'batch', ledger: 'ledger', 'ledger-2': 'ledger' } as const;
export type NodeName = keyof typeof SERVICES;
const NODES = Object.keys(SERVICES) as NodeName[];

export class Walk implements Had {
  #state: Tracks;
  readonly #published: Mesh[];
  readonly #first = new Map<string, number>(NODES.map((node) => [node, 0]));
  readonly #rejecting = new Set<string>();
  readonly #stands = new Set<string>();
  #nowMs = 0;

  constructor(before: Mesh) {
    this.#state = openTracks(settledTracks(before));
    this.#published = [before];
  }

  get published(): readonly Mesh[] {
    return this.#published;
  }

  get state(): Tracks {
    return this.#state;
  }

  /** Of whichever of its sidecars; a stranger has none. */
  readonly first = (service: string): number => {
    const own = NODES.filter((node) => SERVICES[node] === service);
    return own.length === 0 ? 0 : Math.min(...own.map((node) => this.#firstOf(node)));
  };

  edit(mesh: Mesh): void {
    this.#set(edit(this.#state, mesh, this.#tick()));
  }

  /** The sidecar takes what is published, and says so. */
  take(...nodes: readonly string[]): void {
    for (const node of nodes) {
      if (!this.#rejecting.has(node)) this.#first.set(node, this.#published.length - 1);
    }
    this.look();
  }

  /** Of several tracks at different steps: at which they have been. */
  get stands(): ReadonlySet<string> {
    return this.#stands;
  }

  /** From now on it rejects whatever is published. */
  reject(node: string, isRejecting = true): void {
    if (isRejecting) this.#rejecting.add(node);
    else this.#rejecting.delete(node);
  }

  look(): void {
    this.#set(look(this.#state, this.#proxies(), this.#tick()));
  }

  /** The deadline of that track's running step passes. */
  expire(of: string): void {
    const track = this.trackOf(of);
    this.#set(passed(this.#state, { kind: 'deadline', of, sinceMs: track.sinceMs }));
    this.look();
  }

  /** What was on its way arrives, of every track that waits for that. */
  arrive(): void {
    for (const [of, { sinceMs, linger, steps }] of this.#state.tracks) {
      const [step] = steps;
      if (linger !== 'running' || step === undefined) continue;
      this.#set(passed(this.#state, { kind: 'lingered', of, sinceMs, step: step.name }));
    }
    this.look();
  }

  trackOf(id: string): Track {
    const track = this.#state.tracks.get(id);
    assert(track !== undefined, `a track of ${id}`);
    return track;
  }

  /** Services whose sidecars the running step of that track still waits for. */
  lacking(id: string): readonly string[] {
    return toLacking(this.trackOf(id), this.#proxies()).map(({ node }) => node);
  }

  /** Track by track, step by step, until each is at its end; each time something is published. */
  *toTheEnd(): Generator<this> {
    yield this;
    for (let turn = 0; ; turn++) {
      assert(turn < 100, 'tracks come to an end');
      const before = this.#published.length;
      const [id] = [...this.#state.tracks].find(([, { steps }]) => steps.length > 0) ?? [];
      if (id === undefined) return;
      this.take(...this.lacking(id));
      if (this.#state.tracks.get(id)?.linger === 'running') this.arrive();
      if (this.#published.length > before) yield this;
    }
  }

  #firstOf(node: NodeName): number {
    return this.#first.get(node) ?? 0;
  }

  #tick(): number {
    return ++this.#nowMs;
  }

  #set(state: Tracks): void {
    this.#state = state;
    const steps = [...state.tracks.values()].map((track) => track.steps[0]?.name ?? 'rest');
    if (new Set(steps).size > 1) this.#stands.add(steps.join(' '));
    if (state.published !== this.#published.at(-1)) this.#published.push(state.published);
  }

  #proxies(): readonly Sidecar[] {
    return NODES.map((node) => {
      const service = SERVICES[node] as string as ServiceName;
      return { node, service, state: this.#stateOf(node) };
    });
  }

  #stateOf(node: NodeName): ProxyState {
    if (this.#firstOf(node) === this.#published.length - 1) return 'synced';
    return this.#rejecting.has(node) ? 'nacked' : 'pending';
  }
}

/** Every moment on its way to the end. */
export function* momentsToTheEnd(walk: Walk): Generator<Moment> {
  for (const _ of walk.toTheEnd()) yield* momentsOf(walk);
}
