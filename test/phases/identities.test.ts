import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Mesh } from '../../src/policy/index.js';
import { planIdentity } from '../../src/server/mesh/identity-change.js';
import { look, passed, toLacking } from '../../src/server/mesh/look-tracks.js';
import type { Sidecar } from '../../src/server/mesh/track.js';
import { edit, openTracks, settledTracks } from '../../src/server/mesh/tracks.js';
import { isArrived, type Request } from './call-oracle.js';
import {
  callTo,
  leafIn,
  type MovingDoc,
  type Role,
  type Side,
  serviceOf,
  tryMovingMesh,
} from './identity-world.js';

// A service gets another name or account (decision 046), at every moment of the way: what both
// meshes let in works, by whichever leaf, and what both forbid doesn't. Judged by what is emitted.

interface Stand {
  /** What was in force one after the other, the old mesh first. */
  readonly published: readonly Mesh[];
  /** By role, the oldest of these that its sidecar may have. */
  readonly first: Readonly<Record<Role, number>>;
}

const ROLES: readonly Role[] = ['web', 'moving', 'back'];

/** Each time that something is published, on a way as slow as the tracks allow. */
function* standsBetween(before: Mesh, wanted: Mesh): Generator<Stand> {
  const published = [before];
  const first: Record<Role, number> = { web: 0, moving: 0, back: 0 };
  const stand = (): Stand => ({ published: [...published], first: { ...first } });
  const proxies = (): Sidecar[] =>
    ROLES.map((role) => ({
      node: role,
      service: serviceOf(published.at(-1) as Mesh, role).name,
      state: first[role] === published.length - 1 ? 'synced' : 'pending',
    }));
  let state = edit(openTracks(settledTracks(before)), wanted, 0);
  for (let turn = 1; turn < 100; turn++) {
    if (state.published !== published.at(-1)) {
      published.push(named(state.published, `${published.length}`));
      yield stand();
    }
    const [running] = [...state.tracks].filter(([, { steps }]) => steps.length > 0);
    if (running === undefined) return;
    const [of, track] = running;
    const lacking = toLacking(track, proxies()).map(({ node }) => node as Role);
    for (const role of lacking) first[role] = published.length - 1;
    if (lacking.length > 0) yield stand();
    state = look(state, proxies(), turn);
    const { sinceMs, linger, steps } = state.tracks.get(of) ?? track;
    const [step] = steps;
    if (linger === 'running' && step !== undefined) {
      const due = { kind: 'lingered', of, sinceMs, step: step.name } as const;
      state = look(passed(state, due), proxies(), turn);
    }
  }
  throw new Error('tracks come to an end');
}

const names = new WeakMap<Mesh, string>();

/** So that a fault can be told. */
function named(mesh: Mesh, name: string): Mesh {
  names.set(mesh, name);
  return mesh;
}

/** The leaves that it may show by connections that it has, or makes, while it has that mesh. */
function leavesOf(role: Role, at: number, { published, first }: Stand): readonly string[] {
  const isAnew = (mesh: Mesh): boolean => serviceOf(mesh, role).moving?.connects !== undefined;
  // Its connections are since made anew.
  const since = published.slice(0, first[role] + 1).findLastIndex(isAnew);
  return [
    ...new Set(published.slice(Math.max(since, 0), at + 1).map((mesh) => leafIn(mesh, role))),
  ];
}

function sidesOf(role: Role, stand: Stand): readonly Side[] {
  const { published, first } = stand;
  return published.flatMap((mesh, at) =>
    at < first[role] ? [] : leavesOf(role, at, stand).map((identity) => ({ mesh, identity })),
  );
}

const pure = (mesh: Mesh, role: Role): Side => ({ mesh, identity: leafIn(mesh, role) });

const REQUESTS: readonly Request[] = ['GET', 'POST'].map((method) => ({ method, path: '/' }));

function faultsOf(before: Mesh, wanted: Mesh): readonly string[] {
  const faults = new Set<string>();
  const verdictsOf = (callee: Role, request: Request): readonly boolean[] =>
    [before, wanted].map((mesh) => {
      const caller = callee === 'back' ? 'moving' : 'web';
      const ends = { from: pure(mesh, caller), to: pure(mesh, callee) };
      return isArrived(callTo(callee, ends, request));
    });
  const seen = new Set<string>();
  for (const stand of standsBetween(before, wanted)) {
    for (const callee of ['moving', 'back'] as const) {
      const caller = callee === 'back' ? 'moving' : 'web';
      const [from, to] = [sidesOf(caller, stand), sidesOf(callee, stand)];
      for (const request of REQUESTS) {
        const verdicts = verdictsOf(callee, request);
        for (const one of from) {
          for (const [index, other] of to.entries()) {
            // On a connection that was accepted under an earlier configuration, too.
            for (const now of to.slice(index)) {
              const what = toText({ callee, request, from: one, to: other, now });
              if (seen.has(what)) continue;
              seen.add(what);
              const outcome = callTo(callee, { from: one, to: other, now }, request);
              if (verdicts.every(Boolean) && now === other && !isArrived(outcome)) {
                faults.add(`refused though both allow it: ${what}: ${outcome.refused}`);
              }
              if (!verdicts.some(Boolean) && isArrived(outcome)) {
                faults.add(`served though both forbid it: ${what}`);
              }
            }
          }
        }
      }
    }
  }
  return [...faults];
}

interface Called {
  readonly callee: Role;
  readonly request: Request;
  readonly from: Side;
  readonly to: Side;
  readonly now: Side;
}

function toText({ callee, request, from, to, now }: Called): string {
  const text = ({ mesh, identity }: Side): string =>
    `${names.get(mesh) ?? 'the old mesh'} (${identity})`;
  return `${request.method} to ${callee} from ${text(from)} to ${text(to)}, now ${text(now)}`;
}

const NAMES: readonly Pick<MovingDoc, 'name' | 'serviceAccount' | 'formerly'>[] = [
  { name: 'ledger' },
  { name: 'ledger', serviceAccount: 'money' },
  { name: 'books', formerly: ['ledger'] },
  { name: 'books', serviceAccount: 'ledger', formerly: ['ledger'] },
  { name: 'payments/ledger', formerly: ['ledger'] },
  { name: 'payments/ledger', serviceAccount: 'money', formerly: ['books', 'ledger'] },
  { name: 'payments/ledger', formerly: ['books'] },
  { name: 'payments/ledger' },
];

function toMesh(doc: MovingDoc): Mesh {
  const mesh = tryMovingMesh(doc);
  assert(mesh !== undefined, 'a good mesh');
  return mesh;
}

/** Of one service: a renaming says so. */
const isOneService = (before: MovingDoc, after: MovingDoc): boolean =>
  [before.name, ...(before.formerly ?? [])].some((name) =>
    [after.name, ...(after.formerly ?? [])].includes(name),
  );

it.each(['http', 'tcp'])('%s: every pair, under rules that name it', (protocol) => {
  const docs = NAMES.map((one) => ({
    ...{ ...one, protocol, allow: [{ from: ['web'] }] },
    backAllow: [{ from: [one.name] }],
  }));
  const pairs = docs.flatMap((before) =>
    docs.filter((after) => isOneService(before, after)).map((after) => [before, after] as const),
  );
  expect(pairs.length).toBeGreaterThan(20);
  const faults = pairs.flatMap(([before, after]) =>
    faultsOf(toMesh(before), toMesh(after)).map(
      (fault) => `${JSON.stringify(before)} → ${JSON.stringify(after)}: ${fault}`,
    ),
  );
  expect(faults.slice(0, 5)).toEqual([]);
});

it('and moves to another namespace: every pair, under rules that name namespaces', () => {
  const lists = [undefined, ['default/*'], ['payments/*']].map((from) => from && [{ from }]);
  const docs = [NAMES[0], NAMES[4]].flatMap((one) =>
    lists.flatMap((backAllow) =>
      lists.map((backDeny) => ({
        ...{ name: '', ...one, protocol: 'http' },
        ...(backAllow && { backAllow }),
        ...(backDeny && { backDeny }),
      })),
    ),
  );
  const meshes = docs.flatMap((doc) => tryMovingMesh(doc) ?? []);
  expect(meshes.length).toBeGreaterThan(10);
  const faults = meshes.flatMap((before) => meshes.flatMap((after) => faultsOf(before, after)));
  expect(faults.slice(0, 5)).toEqual([]);
}, 120_000);

it('by steps that are told apart: accept, issue, connect, drop', () => {
  const plan = (before: MovingDoc, after: MovingDoc): readonly string[] => {
    const [old, wanted] = [toMesh(before), toMesh(after)];
    const steps = planIdentity(serviceOf(wanted, 'moving'), { olds: [old], wanted });
    return steps.map(({ name }) => name);
  };
  const of = (index: number): MovingDoc => ({ protocol: 'http', name: '', ...NAMES[index] });
  expect(plan(of(0), of(0))).toEqual([]);
  expect(plan(of(0), of(1))).toEqual(['accept', 'issue', 'connect', 'drop']);
  expect(plan(of(0), of(2))).toEqual(['accept', 'drop']);
  expect(plan(of(0), of(3))).toEqual(['accept', 'drop']);
  expect(plan(of(4), of(7))).toEqual(['connect', 'drop']);
});

it('the same where steps are left out is found to fail', () => {
  const [before, wanted] = [
    toMesh({ ...{ name: 'ledger', protocol: 'http' } }),
    toMesh({ ...{ name: 'ledger', serviceAccount: 'money', protocol: 'http' } }),
  ];
  const old = pure(before, 'moving');
  const outcome = callTo('moving', { from: pure(wanted, 'web'), to: old }, REQUESTS[0] as Request);
  expect(outcome).toEqual({ refused: 'another server' });
});
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 1 });
const nameOf = fc.constantFrom(...NAMES);

const FEW = { minLength: 1, maxLength: 2 };

/** `me` stands for the name that it has. */
const from = fc
  .constantFrom('me', 'default/*', 'payments/*', '*', 'anyone', 'web')
  .map((name): string[] => [name]);
const method = fc.constantFrom('GET', 'POST').map((one): string[] => [one]);

const moving = fc
  .record({
    named: nameOf,
    protocol: fc.constantFrom('http', 'tcp'),
    mtls: fc.constantFrom('strict', 'strict', 'permissive', 'disable'),
    allow: some(fc.constantFrom([{ from: ['web'] }], [{ from: ['payments/*'] }])),
    backAllow: some(fc.array(fc.record({ from, methods: some(method) }), FEW)),
    backDeny: some(fc.array(fc.record({ from, methods: some(method) }), FEW)),
  })
  .map(({ named, backAllow, backDeny, allow, protocol, mtls }): MovingDoc => {
    const ofMine = (rules: readonly { from: string[]; methods?: string[] | undefined }[]) =>
      rules.map(({ from: names, methods }) => ({
        from: names.map((name) => (name === 'me' ? named.name : name)),
        ...(methods === undefined || protocol === 'tcp' ? {} : { methods }),
      }));
    return {
      ...{ ...named, protocol, mtls },
      ...(allow && { allow }),
      ...(backAllow && { backAllow: ofMine(backAllow) }),
      ...(backDeny && { backDeny: ofMine(backDeny) }),
    };
  })
  .filter((doc) => tryMovingMesh(doc) !== undefined);

const PAIRS = Number(process.env['PHASE_PAIRS'] ?? 150);
const SEED = Number(process.env['PHASE_SEED'] ?? 20_261_128);

it('names, accounts, rules and modes may change in one edit', () => {
  let both = 0;
  fc.assert(
    fc.property(moving, moving, (before, other) => {
      const after = { ...other, protocol: before.protocol };
      fc.pre(isOneService(before, after) && tryMovingMesh(after) !== undefined);
      both++;
      expect(faultsOf(toMesh(before), toMesh(after)).slice(0, 3)).toEqual([]);
    }),
    { seed: SEED, numRuns: PAIRS },
  );
  expect(both).toBeGreaterThan(PAIRS / 2);
}, 600_000);
