import { expect, it } from 'vitest';
import { type Mesh, parseMesh } from '../../../src/policy/index.js';
import type { MemberView } from '../../../src/server/fleet/index.js';
import type { MeshState } from '../../../src/server/mesh/index.js';
import { type ProxyState, Rollout } from '../../../src/server/mesh/index.js';
import type { WaitAnswer } from '../../../src/server/status/index.js';
import { tryAnswer, waitForAnswer } from '../../../src/server/status/waiting.js';
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
  const stream = {
    auth: { node },
    state: () => [{ typeUrl: TYPE_URLS.listener, standing }],
  };
  return { stream, leaf: undefined, state, troubles: [] } as unknown as MemberView;
}

function setUp() {
  const clock = new ManualClock();
  let settled: Mesh | undefined = MESH;
  let members: MemberView[] = [];
  let meshState: MeshState = { mesh: MESH, loadedAtMs: 0, files: [], problems: [] };
  const rollout = new Rollout(MESH, {
    clock,
    proxies: () => members.map(({ stream, state }) => ({ node: stream.auth.node, state })),
  });
  rollout.onSettled((mesh) => {
    settled = mesh;
  });
  const listeners = new Set<() => void>();
  const gone = new AbortController();
  const input = {
    meshState: () => meshState,
    members: () => members,
    rollout,
    settled: () => settled,
  };
  const onChange = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return {
    clock,
    rollout,
    listeners,
    gone,
    input,
    wait: (timeoutMs: number): Promise<WaitAnswer> =>
      waitForAnswer(input, { clock, timeoutMs, signal: gone.signal, onChange }),
    set(next: MemberView[]) {
      members = next;
      rollout.advance();
      for (const listener of [...listeners]) listener();
    },
    setMesh(next: Partial<MeshState>) {
      meshState = { ...meshState, ...next };
    },
  };
}

it('in force: nothing is running and every proxy has it', () => {
  const { input, set } = setUp();
  expect(tryAnswer(input)).toEqual({ inForce: true, version: MESH.version });
  set([member('a', 'synced')]);
  expect(tryAnswer(input)).toEqual({ inForce: true, version: MESH.version });
  set([member('a', 'synced'), member('b', 'pending')]);
  expect(tryAnswer(input)).toBeUndefined();
});

it('not in force while a phase runs', () => {
  const { input, rollout, set, setMesh } = setUp();
  set([member('a', 'pending')]);
  const next = meshOf('{ trustDomain: shop.example, services: { web: {}, ledger: {} } }');
  setMesh({ mesh: next });
  rollout.start(next);
  expect(tryAnswer(input)).toBeUndefined();
  set([member('a', 'synced')]);
  expect(tryAnswer(input)).toEqual({ inForce: true, version: next.version });
});

it('a NACK is the answer, with the words of Envoy and each place once', () => {
  const { input, set } = setUp();
  set([member('a', 'synced'), member('b', 'nacked')]);
  expect(tryAnswer(input)).toEqual({
    inForce: false,
    reason: 'nacked',
    nacks: [
      { node: 'b', type: 'lds', error: 'no such filter', source: 'mesh.yaml:3:5, mesh.yaml:9:1' },
    ],
    problems: [],
    waitingFor: [],
  });
});

it('problems of the mesh file are the answer, whatever the proxies say', () => {
  const { input, set, setMesh } = setUp();
  set([member('b', 'nacked')]);
  setMesh({ problems: BROKEN.problems });
  expect(tryAnswer(input)).toMatchObject({
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
  set([member('a', 'synced'), member('b', 'synced')]);
  expect(await answer).toEqual({ inForce: true, version: MESH.version });
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
