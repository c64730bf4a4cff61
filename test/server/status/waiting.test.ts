import { expect, it } from 'vitest';
import { type Mesh, parseMesh, serviceName } from '../../../src/policy/index.js';
import type { KeptOut, MemberView } from '../../../src/server/fleet/index.js';
import type { MeshState } from '../../../src/server/mesh/index.js';
import { type ProxyState, Rollout, STAGE_DEADLINE_MS } from '../../../src/server/mesh/index.js';
import type { Trouble, WaitAnswer } from '../../../src/server/status/index.js';
import {
  type Demand,
  NO_DEMAND,
  parseDemand,
  waitForAnswer,
} from '../../../src/server/status/waiting.js';
import { TYPE_URLS } from '../../../src/xds/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { meshOf } from '../../policy/helpers.js';

const MESH = meshOf('{ trustDomain: shop.example, services: { web: {} } }');
const BROKEN = parseMesh([
  { path: 'mesh.yaml', text: '{ trustDomain: shop.example, mtls: no-such }' },
]);
const REJECTION = {
  version: 'v1',
  message: 'no such filter',
  resources: [
    { name: 'mesh', source: { file: 'mesh.yaml', line: 3, column: 5 } },
    { name: 'inbound:8080', source: { file: 'mesh.yaml', line: 3, column: 5 } },
    { name: 'other', source: { file: 'mesh.yaml', line: 9, column: 1 } },
  ],
};

/** As much of a member as waiting looks at. */
function member(node: string, state: ProxyState): MemberView {
  const standing =
    state === 'nacked'
      ? { state, version: undefined, rejection: REJECTION, retrying: false }
      : { state: 'synced', version: 'v1' };
  const stream = { auth: { node, service: node.split('~')[0] } };
  const reports = [{ typeUrl: TYPE_URLS.listener, standing }];
  return { stream, reports, leaf: undefined, state, troubles: [] } as unknown as MemberView;
}

function setUp() {
  const clock = new ManualClock();
  let settled: Mesh | undefined = MESH;
  let members: MemberView[] = [];
  let missing: readonly string[] = [];
  const keptOut: KeptOut[] = [];
  let meshState: MeshState = { mesh: MESH, loadedAtMs: 0, files: [], problems: [] };
  const rollout = new Rollout(MESH, {
    clock,
    proxies: () => members.map(({ stream, state }) => ({ ...stream.auth, state })),
  });
  rollout.onSettled((mesh) => {
    settled = mesh;
  });
  let troubles: readonly Trouble[] = [];
  const listeners = new Set<() => void>();
  const gone = new AbortController();
  const input = {
    meshState: () => meshState,
    members: () => members,
    keptOut: () => keptOut,
    missing: () => missing,
    rollout,
    settled: () => settled,
    troubles: () => troubles,
  };
  const onChange = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const wait = (timeoutMs: number, wanted: Demand = NO_DEMAND): Promise<WaitAnswer> =>
    waitForAnswer(input, { clock, timeoutMs, signal: gone.signal, onChange, demand: wanted });
  return {
    clock,
    ...{ rollout, listeners, gone, keptOut },
    wait,
    /** The answer as things stand: `timeout` where there is none yet. */
    answer(wanted?: Demand): Promise<WaitAnswer> {
      const answer = wait(0, wanted);
      clock.advance(0);
      return answer;
    },
    set(next: MemberView[]) {
      members = next;
      rollout.advance();
      for (const listener of [...listeners]) listener();
    },
    setMissing(next: readonly string[]) {
      missing = next;
    },
    setTroubles(next: readonly Trouble[]) {
      troubles = next;
    },
    setMesh(next: Partial<MeshState>) {
      meshState = { ...meshState, ...next };
    },
  };
}

const inForce = (proxies: number, undeclared: readonly string[] = []): WaitAnswer => ({
  ...{ inForce: true, version: MESH.version, proxies, undeclared },
});

it('in force: nothing is running and every proxy has it', async () => {
  const { answer, set } = setUp();
  expect(await answer()).toEqual(inForce(0));
  set([member('web~a', 'synced')]);
  expect(await answer()).toEqual(inForce(1));
  set([member('web~a', 'synced'), member('web~b', 'pending')]);
  expect(await answer()).toMatchObject({ reason: 'timeout', waitingFor: ['web~b'] });
});

it('not in force while a sidecar of a declared service is kept out of its address', async () => {
  const { answer, set, keptOut } = setUp();
  set([member('web~thief', 'synced')]);
  const kept = { node: 'web~a', address: '10.0.0.7', holder: 'web~thief' };
  keptOut.push({ ...kept, service: serviceName('web'), sinceMs: 0 });
  expect(await answer()).toMatchObject({
    ...{ inForce: false, reason: 'timeout', waitingFor: [], server: null },
    keptOut: [kept],
  });
  keptOut.splice(0, 1, { ...kept, service: serviceName('undeclared'), sinceMs: 0 });
  expect(await answer()).toEqual(inForce(1));
});

it('not in force while a phase runs', async () => {
  const { answer, rollout, set, setMesh } = setUp();
  set([member('a', 'pending')]);
  const next = meshOf('{ trustDomain: shop.example, services: { web: {}, ledger: {} } }');
  setMesh({ mesh: next });
  rollout.start(next);
  expect(await answer()).toMatchObject({ reason: 'timeout', waitingFor: ['a'] });
  set([member('web~a', 'synced')]);
  expect(await answer()).toEqual({ ...inForce(1), version: next.version });
});

it('a change that went back is the answer, with the place of what is not in force', async () => {
  const { answer, rollout, set, setMesh, clock } = setUp();
  const ledger = (mode: string): Mesh =>
    meshOf(`trustDomain: shop.example
services: { web: {}, ledger: { ports: { 8080: { protocol: http, mtls: ${mode} } } } }`);
  for (const mode of ['disable', 'strict']) {
    setMesh({ mesh: ledger(mode) });
    set([member('ledger~a', 'synced')]);
    rollout.start(ledger(mode));
    set([member('ledger~a', mode === 'disable' ? 'synced' : 'nacked')]);
  }
  clock.advance(STAGE_DEADLINE_MS);
  set([member('ledger~a', 'synced')]);
  expect(await answer()).toMatchObject({
    ...{ inForce: false, reason: 'held', waitingFor: [] },
    held: [
      {
        ...{ of: 'ledger:8080', why: 'rejected', node: 'ledger~a' },
        source: expect.stringMatching(/^mesh\.yaml:2:\d+$/),
      },
    ],
  });
});

it('a NACK is the answer, with the words of Envoy and each place once', async () => {
  const { answer, set } = setUp();
  set([member('a', 'synced'), member('b', 'nacked')]);
  expect(await answer()).toEqual({
    inForce: false,
    reason: 'nacked',
    nacks: [
      { node: 'b', type: 'lds', error: 'no such filter', source: 'mesh.yaml:3:5, mesh.yaml:9:1' },
    ],
    problems: [],
    waitingFor: [],
    lacking: [],
    server: null,
    troubles: [],
  });
});

it('problems of the mesh file are the answer, whatever the proxies say', async () => {
  const { answer, set, setMesh } = setUp();
  set([member('b', 'nacked')]);
  setMesh({ problems: BROKEN.problems });
  expect(await answer()).toMatchObject({
    inForce: false,
    reason: 'problems',
    problems: [{ place: 'mesh.yaml:1:30', path: 'mtls', severity: 'error' }],
  });
});

it('waits for the last proxy, and leaves nothing behind', async () => {
  const { wait, set, clock, listeners } = setUp();
  set([member('a', 'pending'), member('b', 'pending')]);
  const answer = wait(60_000);
  set([member('a', 'synced'), member('b', 'pending')]);
  expect(listeners.size).toBe(1);
  set([member('web~a', 'synced'), member('web~b', 'synced')]);
  expect(await answer).toEqual(inForce(2));
  expect([clock.pending, listeners.size]).toEqual([0, 0]);
});

it('says at the timeout who is waited for', async () => {
  const { wait, set, clock } = setUp();
  set([member('a', 'synced'), member('slow', 'pending')]);
  const answer = wait(60_000);
  clock.advance(60_000);
  expect(await answer).toMatchObject({ inForce: false, reason: 'timeout', waitingFor: ['slow'] });
});

it('ends when the client goes away', async () => {
  const { wait, set, gone, clock, listeners } = setUp();
  set([member('slow', 'pending')]);
  const answer = wait(60_000);
  gone.abort();
  expect(await answer).toMatchObject({ inForce: false, reason: 'timeout' });
  expect([clock.pending, listeners.size]).toEqual([0, 0]);
});

it('a wait whose client has left before it begins does not live on until its timeout', async () => {
  const { wait, set, gone, clock, listeners } = setUp();
  set([member('slow', 'pending')]);
  gone.abort();
  const answer = wait(60_000);
  expect([clock.pending, listeners.size]).toEqual([0, 0]);
  expect(await answer).toMatchObject({ inForce: false, reason: 'timeout' });
});

const demand = (text: string) =>
  parseDemand(new URLSearchParams(text), { mesh: MESH, problems: [] });
const lacking = (service: string | null, wanted: number, got: number) => ({
  ...{ inForce: false, reason: 'timeout', lacking: [{ service, wanted, got }] },
});

it('wait with 0 proxies is not the same as in force on all of those that are wanted', async () => {
  const { answer, set } = setUp();
  expect(await answer(demand('proxies=1'))).toMatchObject(lacking(null, 1, 0));
  set([member('web~a', 'synced')]);
  expect(await answer(demand('proxies=1&service=web=1'))).toEqual(inForce(1));
  expect(await answer(demand('proxies=2'))).toMatchObject(lacking(null, 2, 1));
  expect(await answer(demand('service=web=2'))).toMatchObject(lacking('web', 2, 1));
});

it('says at the timeout how many are missing of what was asked for', async () => {
  const { wait, set, clock } = setUp();
  set([member('web~a', 'synced')]);
  const answer = wait(1_000, demand('proxies=3&service=web=2'));
  clock.advance(1_000);
  expect(await answer).toMatchObject({
    reason: 'timeout',
    lacking: [
      { service: null, wanted: 3, got: 1 },
      { service: 'web', wanted: 2, got: 1 },
    ],
    server: null,
  });
});

it.each([
  ['service=wep=1', 'the mesh declares no service "wep"'],
  ['service=db=1', 'service "db" has no sidecars (sidecar: false): none can be waited for'],
  ['service=web=many', 'expected service with a number of sidecars'],
  ['proxies=-1', 'expected proxies with a number of sidecars'],
])('what can never come is refused: %s', (query, message) => {
  const mesh = meshOf(
    '{ trustDomain: shop.example, services: { web: {}, db: { sidecar: false } } }',
  );
  const parse = () => parseDemand(new URLSearchParams(query), { mesh, problems: [] });
  expect(parse).toThrow(message);
});

it('after a restart wait names whom it waits for, not "0 proxies still to follow"', async () => {
  const { wait, setMissing, setMesh, clock } = setUp();
  setMesh({ mesh: meshOf('{ trustDomain: shop.example, services: { other: {} } }') });
  setMissing(['web~10.0.0.2']);
  const answer = wait(1_000);
  clock.advance(1_000);
  expect(await answer).toMatchObject({ reason: 'timeout', waitingFor: ['web~10.0.0.2'] });
  setMissing([]);
  const alone = wait(1_000);
  clock.advance(1_000);
  expect(await alone).toMatchObject({
    ...{ waitingFor: [], server: 'the mesh has yet to be put in force' },
  });
});

it('a disk that can not be written is named in the answer, and no longer when it can', async () => {
  const { wait, set, clock, setTroubles } = setUp();
  set([member('web~a', 'pending')]);
  const text = 'the data folder cannot be written since 2026: rollout.json: ENOSPC';
  setTroubles([{ kind: 'disk', text }]);
  const full = wait(1_000);
  clock.advance(1_000);
  expect(await full).toMatchObject({ reason: 'timeout', troubles: [text] });
  setTroubles([]);
  const well = wait(1_000);
  clock.advance(1_000);
  expect(await well).toMatchObject({ reason: 'timeout', troubles: [] });
});

it('connected sidecars of an undeclared service are named in the answer', async () => {
  const { answer, set } = setUp();
  set([member('web~a', 'synced'), member('back~b', 'synced')]);
  expect(await answer()).toEqual(inForce(2, ['back~b']));
  expect(await answer(demand('proxies=2'))).toMatchObject(lacking(null, 2, 1));
});

it('a secret that a static Envoy asks for in vain is the answer', async () => {
  const { answer, set } = setUp();
  const { stream, ...asking } = member('web~1', 'unbound');
  const auth = { ...stream.auth, isStatic: true } as const;
  const troubles = ['there is no secret "mine" for it'];
  set([{ ...asking, stream: { ...stream, auth }, reports: [], troubles }]);
  expect(await answer()).toMatchObject({
    reason: 'nacked',
    nacks: [{ node: 'web~1', type: 'sds', error: 'there is no secret "mine" for it' }],
  });
});
