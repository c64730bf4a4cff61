// Random orders of subscriptions, snapshots, ACKs, NACKs and stalls keep the protocol's invariants
// (peer.ts), and whatever happened, a client that answers everything ends up with exactly what it
// asked for.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import {
  createSession,
  DEFAULT_SESSION_LIMITS,
  isSynced,
  type Session,
  type SessionEvent,
  type Snapshot,
  step,
  type Variant,
} from '../../src/xds/index.js';
import { FakePeer } from './peer.js';
import { SHORT, toSnapshot } from './script.js';

const TYPES = ['cds', 'eds', 'lds', 'rds', 'sds', 'rtds'] as const;
const NAMES = ['a', 'b', 'c'] as const;

type Action =
  | { kind: 'subscribe'; type: string; add: readonly string[]; drop: readonly string[] }
  | { kind: 'snapshot'; snapshot: Snapshot }
  | { kind: 'answer'; pick: number; error: boolean }
  | { kind: 'pause' | 'resume' }
  | { kind: 'alarm' }
  | { kind: 'reconnect' };

const typeUrl = fc.constantFrom(...TYPES).map((type) => SHORT[type] ?? '');
const names = fc.uniqueArray(fc.constantFrom(...NAMES, '*'), { maxLength: 3 });
const resources = fc
  .tuple(...NAMES.map(() => fc.integer({ min: 0, max: 3 })))
  .map((versions) => NAMES.flatMap((name, i) => toWord(name, versions[i] ?? 0)));

/** None, or a version; one of them has a TTL. */
function toWord(name: string, version: number): readonly string[] {
  if (version === 0) return [];
  return [version === 3 ? `${name}@3~15` : `${name}@${version}`];
}

const snapshot = fc
  .tuple(...TYPES.map(() => resources))
  .map((lists) => toSnapshot(TYPES.map((type, i) => `${type}:${(lists[i] ?? []).join(',')}`)));
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constant('subscribe'), type: typeUrl, add: names, drop: names }),
  fc.record({ kind: fc.constant('snapshot'), snapshot }),
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('answer'), pick: fc.nat(9), error: fc.boolean() }),
  },
  fc.record({ kind: fc.constantFrom('pause', 'resume') }),
  fc.record({ kind: fc.constantFrom('alarm', 'reconnect') }),
) as fc.Arbitrary<Action>;

/** Listeners and routes that need the cluster of their name, which is there or not. */
function toReferring(list: readonly (readonly [string, number])[]): readonly string[] {
  const versions = new Map(list);
  const users = [...versions].map(([name, version]) => `${name}@${version}>${name}`).join(',');
  const clusters = [...versions].slice(1).map(([name, version]) => `${name}@${version}`);
  return [`cds:${clusters.join(',')}`, `lds:${users}`, `rds:${users}`];
}

class World {
  session: Session;
  readonly peer: FakePeer;
  snapshot: Snapshot = new Map();
  /** Where it is set, a response is rejected for what is bad in it, and for nothing else. */
  isBad: ((name: string, version: string) => boolean) | undefined;
  readonly #subscribed = new Set<string>();
  readonly #alarms: SessionEvent[] = [];

  constructor(variant: Variant) {
    this.session = createSession(variant, DEFAULT_SESSION_LIMITS);
    this.peer = new FakePeer(variant);
  }

  feed(event: SessionEvent): void {
    const { session, effects } = step(this.session, event);
    this.session = session;
    for (const effect of effects) {
      if (effect.kind === 'send') this.peer.receive(effect.response);
      if (effect.kind === 'alarm') {
        this.#alarms.push({ kind: 'alarm', typeUrl: effect.typeUrl, nonce: effect.nonce });
      }
    }
  }

  run(action: Action): void {
    if (action.kind === 'snapshot') {
      this.snapshot = action.snapshot;
      this.#forgive();
      this.feed(action);
    } else if (action.kind === 'subscribe') this.#subscribe(action);
    else if (action.kind === 'answer') {
      const waiting = this.peer.unanswered();
      const response = waiting[action.pick % Math.max(1, waiting.length)];
      if (response === undefined) return;
      const bad = response.resources.some(({ name, version }) => this.isBad?.(name, version));
      const error = (this.isBad === undefined ? action.error : bad) ? 'rejected' : undefined;
      const request = this.peer.answer(response.typeUrl, error);
      this.#forgive();
      this.feed({ kind: 'request', request });
    } else if (action.kind === 'alarm') {
      const alarm = this.#alarms.shift();
      if (alarm === undefined) return;
      this.peer.tick();
      this.feed(alarm);
    } else if (action.kind === 'reconnect') this.#reconnect();
    else this.feed({ kind: action.kind });
  }

  /** The connection breaks, and the client comes back with what it holds. */
  #reconnect(): void {
    if (this.session.ended) return;
    this.session = createSession(this.session.variant, this.session.limits);
    this.#alarms.length = 0;
    const requests = this.peer.reconnect();
    this.#subscribed.clear();
    for (const { typeUrl } of requests) this.#subscribed.add(typeUrl);
    this.feed({ kind: 'snapshot', snapshot: this.snapshot });
    for (const request of requests) this.feed({ kind: 'request', request });
  }

  /** What the snapshot no longer has isn't parked: it may come again one day. */
  #forgive(): void {
    for (const type of this.#subscribed) {
      const set = this.snapshot.get(type)?.resources;
      this.peer.vanish(type, (name) => set?.has(name) === true);
      this.peer.forgive(type, (one) => {
        const [name = '', version] = one.split('@');
        return set?.get(name)?.version === version;
      });
    }
  }

  #subscribe({ type, add, drop }: Extract<Action, { kind: 'subscribe' }>): void {
    // The first request must ask for something, or it is the legacy wildcard.
    const first = !this.#subscribed.has(type);
    const change = { add: first && add.length === 0 ? ['a'] : add, drop: first ? [] : drop };
    this.#subscribed.add(type);
    this.feed({ kind: 'request', request: this.peer.subscribe(type, change) });
  }

  /** Takes everything that comes until nothing does. */
  settle(): void {
    this.feed({ kind: 'resume' });
    this.feed({ kind: 'snapshot', snapshot: this.snapshot });
    // What a client that came back may still use is taken away after a while.
    for (let count = this.#alarms.length; count > 0; count--) this.run({ kind: 'alarm' });
    for (let rounds = 0; this.peer.unanswered().length > 0; rounds++) {
      assert(rounds < 200, 'a client that takes everything is still sent more');
      this.run({ kind: 'answer', pick: 0, error: false });
    }
  }

  /** The peer has what it asked for of the snapshot, but for what it rejected. */
  check(): void {
    for (const type of this.#subscribed) {
      const held = this.peer.held(type);
      for (const { name, version } of this.snapshot.get(type)?.resources.values() ?? []) {
        if (!this.peer.isWildcard(type) && !this.peer.names(type).has(name)) continue;
        if (this.peer.everRejected(type).has(`${name}@${version}`)) continue;
        assert.equal(held.get(name), version, `${type} ${name}`);
      }
    }
  }
}

describe.each(['sotw', 'delta'] as const)('%s', (variant) => {
  test('any order of events keeps the invariants, and the client converges', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const world = new World(variant);
        for (const one of actions) world.run(one);
        world.settle();
        world.check();
      }),
      { seed: 20_261_122, numRuns: 1_000 },
    );
  });

  test('without rejections all converges to synced, and removals happened', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const world = new World(variant);
        world.feed({ kind: 'snapshot', snapshot: world.snapshot });
        for (const one of actions)
          world.run(one.kind === 'answer' ? { ...one, error: false } : one);
        for (const type of ['cds', 'lds']) {
          world.run({ kind: 'subscribe', type: SHORT[type] ?? '', add: ['*'], drop: [] });
        }
        world.settle();
        world.check();
        assert(isSynced(world.session), 'not synced');
        for (const type of ['cds', 'lds']) {
          const url = SHORT[type] ?? '';
          const wanted = [...(world.snapshot.get(url)?.resources.keys() ?? [])].sort();
          assert.deepEqual([...world.peer.held(url).keys()].sort(), wanted);
        }
      }),
      { seed: 20_261_122, numRuns: 700 },
    );
  });

  test('a client that rejects bad content ends up with all the rest', () => {
    const words = NAMES.flatMap((name) => [`${name}@1`, `${name}@2`, `${name}@3~15`]);
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), fc.subarray(words), (actions, bad) => {
        const world = new World(variant);
        world.isBad = (name, version) => bad.includes(`${name}@${version}`);
        for (const one of actions) world.run(one);
        world.settle();
        for (const type of TYPES.map((short) => SHORT[short] ?? '')) {
          for (const { name, version } of world.snapshot.get(type)?.resources.values() ?? []) {
            const isAsked = world.peer.isWildcard(type) || world.peer.names(type).has(name);
            // Secrets are held back together.
            if (!isAsked || type === SHORT['sds']) continue;
            const held = world.peer.held(type).get(name);
            if (world.isBad(name, version)) assert.notEqual(held, version, `${type} ${name}`);
            else assert.equal(held, version, `${type} ${name}`);
          }
        }
      }),
      { seed: 20_261_122, numRuns: 700 },
    );
  });

  test('what is sent refers to nothing that the client lacks', () => {
    const referring = fc
      .array(fc.tuple(fc.constantFrom(...NAMES), fc.integer({ min: 1, max: 2 })))
      .map((list) => toSnapshot(toReferring(list)));
    const change = fc.record({ kind: fc.constant('snapshot' as const), snapshot: referring });
    let waited = 0;
    fc.assert(
      fc.property(fc.array(fc.oneof(action, change), { maxLength: 40 }), (actions) => {
        const world = new World(variant);
        for (const one of actions) {
          world.run(one);
          for (const { waiting } of world.session.types) if (waiting) waited += 1;
        }
        world.settle();
      }),
      { seed: 20_261_122, numRuns: 500 },
    );
    assert(waited > 0, 'nothing ever waited');
  });

  test('nothing is sent after the end', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 20 }), fc.nat(20), (actions, at) => {
        const world = new World(variant);
        for (const [i, one] of actions.entries()) {
          if (i === at) {
            world.feed({ kind: 'end' });
            world.peer.end();
          }
          world.run(one);
        }
      }),
      { seed: 20_261_122, numRuns: 500 },
    );
  });
});
