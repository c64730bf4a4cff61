// What the walk judges by, and what it does next; the walk itself is walk.test.ts.
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../fakes/manual-clock.js';
import { type Flow, toFlows } from './flow.js';
import { FIRST_MESH, type MeshDoc, type ScopeDoc, tryMesh } from './mesh-doc.js';
import { type Move, planMoves } from './moves.js';
import { judge, type Verdict } from './oracle.js';
import { DRAIN_S, Timeline } from './timeline.js';

const SERVES = {
  ...{ web: ['web'], batch: ['batch'], ledger: ['ledger-a', 'ledger-b'], quotes: ['quotes'] },
  ...{ store: ['store'], db: ['db'], extra: ['extra'] },
};
const FLOWS = toFlows(SERVES);

function flowOf(name: string): Flow {
  const found = FLOWS.find((flow) => flow.name === name);
  if (found === undefined) throw new Error(`no flow "${name}"`);
  return found;
}

const BY_SIDECAR = flowOf('web GET ledger by sidecar, fresh');
const KEPT = flowOf('web GET ledger by sidecar, kept');
const POSTS = flowOf('web POST ledger by sidecar, fresh');
const PLAIN = flowOf('a stranger GET ledger by plain, fresh');
const BY_TLS = flowOf('web GET ledger by tls, fresh');
const BY_OLD_TLS = flowOf('web GET ledger by tls TLSv1.2, fresh');

function withLedger(scope: ScopeDoc, more: Partial<MeshDoc> = {}): MeshDoc {
  const { ledger = {}, ...others } = FIRST_MESH.services;
  return { ...FIRST_MESH, ...more, services: { ...others, ledger: { ...ledger, ...scope } } };
}

function stateOf(doc: MeshDoc, revoked: readonly string[] = []) {
  const mesh = tryMesh(doc);
  if (mesh === undefined) throw new Error('check refuses that mesh');
  return { mesh, revoked };
}

const RED: Verdict = { app: 'red' };
const TABLE: readonly (readonly [string, MeshDoc, Flow, Verdict])[] = [
  ['strict, by a sidecar', FIRST_MESH, BY_SIDECAR, RED],
  ['strict, a stranger', FIRST_MESH, PLAIN, 'refused'],
  ['permissive, a stranger', withLedger({ mtls: 'permissive' }), PLAIN, RED],
  ['disable, TLS', withLedger({ mtls: 'disable' }), BY_TLS, 'refused'],
  ['an old TLS below the floor', FIRST_MESH, BY_OLD_TLS, 'refused'],
  ['an old TLS above it', withLedger({ tls: { minVersion: 'TLSv1_2' } }), BY_OLD_TLS, RED],
  [
    'another method',
    withLedger({ allow: [{ from: ['web'], methods: ['GET'] }] }),
    POSTS,
    'refused',
  ],
  [
    'no identity under disable',
    withLedger({ mtls: 'disable' }, { allow: [{ from: ['*'] }] }),
    BY_SIDECAR,
    'refused',
  ],
  ['nobody of that name', { ...FIRST_MESH, services: { web: {} } }, BY_SIDECAR, 'refused'],
];

describe('the oracle', () => {
  it.each(TABLE)('%s', (_, doc, flow, verdict) => {
    expect(judge(stateOf(doc), flow)).toEqual(verdict);
  });

  it('shuts out who is revoked, where there are identities', () => {
    const revoked = flowOf('batch GET ledger by sidecar, fresh');
    expect(judge(stateOf(FIRST_MESH, ['batch']), revoked)).toBe('refused');
    const disabled = stateOf(withLedger({ mtls: 'disable' }), ['batch']);
    expect(judge(disabled, revoked)).toBe('open');
  });
});

const ALLOWED = stateOf(FIRST_MESH);
const FORBIDDEN = stateOf(withLedger({ deny: [{ from: ['web'] }] }));

describe('a request', () => {
  const setUp = () => {
    const clock = new ManualClock();
    const timeline = new Timeline(ALLOWED, clock);
    const beganMs = clock.now();
    const kindOf = (flow: Flow, span: readonly [number, number], app?: string): string =>
      timeline.judge({
        ...{ flow, fromMs: beganMs + span[0], untilMs: beganMs + span[1] },
        app,
      }).kind;
    clock.advance(1_000);
    timeline.enter(FORBIDDEN);
    clock.advance(1_000);
    timeline.settle();
    return { clock, timeline, kindOf };
  };

  it('must be served where every mesh of its time lets it in', () => {
    const { kindOf } = setUp();
    expect(kindOf(BY_SIDECAR, [0, 999])).toBe('failed');
    expect(kindOf(BY_SIDECAR, [0, 1_000])).toBe('right');
    expect(kindOf(BY_SIDECAR, [2_001, 2_100])).toBe('right');
  });

  it('must be refused where every one forbids it, or serves another application', () => {
    const { kindOf } = setUp();
    expect(kindOf(BY_SIDECAR, [2_000, 2_100], 'red')).toBe('right');
    expect(kindOf(BY_SIDECAR, [2_001, 2_100], 'red')).toBe('served');
    expect(kindOf(BY_SIDECAR, [0, 100], 'blue')).toBe('served');
  });

  it('is served on a kept connection for the drain time, and no longer', () => {
    const { kindOf } = setUp();
    const drainedMs = 2_000 + DRAIN_S * 1_000;
    expect(kindOf(KEPT, [drainedMs, drainedMs + 1], 'red')).toBe('right');
    expect(kindOf(KEPT, [drainedMs + 2_000, drainedMs + 2_001], 'red')).toBe('served');
  });

  it('is excused by a sidecar of its own way alone, until that is back', () => {
    const { clock, timeline, kindOf } = setUp();
    timeline.enter(ALLOWED);
    timeline.settle();
    clock.advance(1_000);
    timeline.hold('store', 'SIGSTOP of store');
    expect(kindOf(BY_SIDECAR, [3_000, 3_001])).toBe('failed');
    timeline.hold('ledger-b', 'SIGSTOP of ledger-b');
    expect(kindOf(BY_SIDECAR, [3_000, 3_001])).toBe('excused');
    timeline.release('ledger-b', 500);
    expect(kindOf(BY_SIDECAR, [3_501, 3_600])).toBe('failed');
  });
});

describe('the moves', () => {
  const features = { renames: false, identities: false, replacements: true };
  const take = (seed: string, count: number): readonly Move[] => {
    const moves: Move[] = [];
    for (const move of planMoves({ seed, features })) {
      moves.push(move);
      if (moves.length === count) break;
    }
    return moves;
  };

  it('are the same for a seed, each from where the one before it ended', () => {
    const moves = take('7', 20);
    expect(take('7', 20)).toEqual(moves);
    for (const [index, { before }] of moves.entries()) {
      if (index > 0) expect(before).toEqual(moves[index - 1]?.after);
    }
  });

  it('are of every kind, and leave meshes that check takes', () => {
    const moves = take('2', 130);
    expect(new Set(moves.map(({ act }) => act.kind)).size).toBe(15);
    for (const { after } of moves) expect(tryMesh(after.doc)).toBeDefined();
  });
});
