import { describe, expect, it } from 'vitest';
import { createJsonStore } from '../../../src/data/index.js';
import type { Mesh, Port, ServiceName } from '../../../src/policy/index.js';
import {
  NO_ACCESS_MARKS,
  type ProxyState,
  ROLLOUT_DOCUMENT,
  Rollout,
  type RolloutRecord,
  STAGE_DEADLINE_MS,
  STORE_RETRY_MS,
  settledTracks,
  toRolloutRecord,
  toStoredRollout,
} from '../../../src/server/mesh/index.js';
import { toStoredMesh } from '../../../src/server/mesh/stored-shape.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { meshOf, portOf } from '../../policy/helpers.js';
import { MemoryDataDir } from '../../x509/tools.js';
import { afterEdits, meshesOf } from './steps.js';

const meshIn = (mode: string): Mesh =>
  meshOf(`trustDomain: shop.example
services: { ledger: { ports: { 8080: { protocol: http, mtls: ${mode} } } } }`);

/** `both`: of either end of a change. */
const toMode = ({ between, mode }: Port): string =>
  between === undefined ? mode : `both, callers ${between.callers.mode}`;
const modeOf = (mesh: Mesh): string => toMode(portOf(mesh, 'ledger:8080'));

/** As the data folder would give it back. */
function reread(record: RolloutRecord): RolloutRecord {
  const json: unknown = JSON.parse(JSON.stringify(toStoredRollout(record)));
  return toRolloutRecord(ROLLOUT_DOCUMENT.schema.parse(json));
}

/** A server that is killed, by no longer looking at it, and the records it left. */
function run(before: Mesh | RolloutRecord) {
  const clock = new ManualClock();
  const records: RolloutRecord[] = [];
  let state: ProxyState = 'pending';
  let failure: Error | undefined;
  const rollout = new Rollout(before, {
    clock,
    proxies: () => [{ node: 'a', service: 'ledger' as ServiceName, state }],
    store: async (record) => {
      if (failure !== undefined) throw failure;
      records.push(reread(record));
    },
  });
  return {
    clock,
    rollout,
    records,
    fail(error: Error | undefined) {
      failure = error;
    },
    /** Everything that was asked of the store has been answered. */
    async settle() {
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    },
    async reject() {
      state = 'nacked';
      rollout.advance();
      await this.settle();
    },
    async take() {
      state = 'synced';
      rollout.advance();
      state = 'pending';
      await this.settle();
    },
    /** The same for callers that move, with time for what is on its way. */
    async takeMove() {
      state = 'synced';
      rollout.advance();
      clock.advance(500);
      state = 'pending';
      await this.settle();
    },
    async finish() {
      while (rollout.phase !== undefined) await this.takeMove();
    },
    mode: () => modeOf(rollout.inForce.value),
  };
}

const last = (records: readonly RolloutRecord[]): RolloutRecord => {
  const record = records.at(-1);
  if (record === undefined) throw new Error('expected a record');
  return record;
};

it('a record gives back tracks whose ports stand between two forms', async () => {
  const server = run(meshIn('disable'));
  server.rollout.start(meshIn('strict'));
  await server.settle();
  const { record } = server.rollout;
  const track = record.tracks.get('ledger:8080');
  if (track?.kind !== 'port') throw new Error('a track of the port');
  expect(track.steps.map(({ form }) => toMode(form))).toEqual([
    'both, callers disable',
    'both, callers strict',
    'strict',
  ]);
  expect(reread(record)).toEqual(record);
});

it('a record gives back why a track went back', async () => {
  const server = run(meshIn('disable'));
  server.rollout.start(meshIn('strict'));
  await server.settle();
  await server.reject();
  server.clock.advance(STAGE_DEADLINE_MS);
  await server.settle();
  expect(server.mode()).toBe('disable');
  const again = run(last(server.records));
  expect(again.mode()).toBe('disable');
  again.rollout.start(meshIn('strict'));
  await again.settle();
  await again.takeMove();
  expect(again.mode(), 'it is not tried again for a restart').toBe('disable');
  const { held } = again.rollout.record.tracks.get('ledger:8080') ?? {};
  expect(held).toMatchObject({ why: 'rejected', node: 'a', refused: { mode: 'strict' } });
});

it('a record gives back the mesh as it was, outside issuers and CA with it', () => {
  const wanted = meshOf(`trustDomain: shop.example
services: { web: {}, ledger: { ports: { 8080: http }, allow: [ { from: [web] } ] } }
authority: { stepCa: { url: "https://ca", root: ./r.pem, provisioner: p, key: ./k.jwk } }
nodeIssuers:
  - issuer: https://id.example
    audiences: [a]
    nodes: [ { service: web, claims: { sub: "repo:*" } } ]
`);
  const marks = { identities: { 'ledger:8080': 'a1' }, plain: { 'ledger:8080': 'b2' } };
  const record = { wanted, tracks: new Map(), marks };
  expect(reread(record)).toEqual(record);
});

/** As the version before stored it: meshes that may be in force, and the phases that are left. */
const phasesRecord = (meshes: readonly Mesh[], phases: readonly Mesh[]) => ({
  mayBeInForce: meshes.map(toStoredMesh),
  phases: phases.map((mesh) => ({ name: 'a phase', mesh: toStoredMesh(mesh) })),
});

describe('the record of a version that had phases', () => {
  const before = meshIn('disable');
  const after = meshIn('strict');
  const steps = meshesOf(afterEdits(before, after));
  const resumed = (meshes: readonly Mesh[], phases: readonly Mesh[]) => {
    const stored: unknown = JSON.parse(JSON.stringify(phasesRecord(meshes, phases)));
    return run(toRolloutRecord(ROLLOUT_DOCUMENT.schema.parse(stored)));
  };

  it.each([0, 1, 2])('is resumed where it was, in phase %i, and opens nothing', async (at) => {
    const last = steps.slice(0, at + 1).at(-1) ?? before;
    const stood = modeOf(last);
    // Once callers had moved, what was before counted no longer.
    const server = resumed(at < 2 ? [before, ...steps.slice(0, at + 1)] : steps.slice(1), [
      ...steps.slice(at),
    ]);
    expect(server.mode()).toBe(stood);
    const modes: string[] = [];
    server.rollout.inForce.onChange((mesh) => modes.push(modeOf(mesh)));
    server.rollout.start(after);
    await server.settle();
    await server.finish();
    expect([server.mode(), server.rollout.record.tracks.size]).toEqual(['strict', 0]);
    const stands = steps.map(modeOf);
    expect(modes.filter((mode) => stands.indexOf(mode) < at)).toEqual([]);
  });

  it('that had settled has no tracks', () => {
    const server = resumed([after], []);
    expect([server.mode(), server.rollout.record.tracks.size]).toEqual(['strict', 0]);
    expect(server.rollout.marks).toEqual(NO_ACCESS_MARKS);
  });
});

describe('a server killed in a step', () => {
  it('is stored before it is in force', async () => {
    const server = run(meshIn('disable'));
    server.rollout.start(meshIn('strict'));
    expect([server.mode(), server.records.length]).toEqual(['disable', 1]);
    await server.settle();
    expect(server.mode()).toBe('both, callers disable');
  });

  it('resumes the first step', async () => {
    const killed = run(meshIn('disable'));
    killed.rollout.start(meshIn('strict'));
    await killed.settle();
    const server = run(last(killed.records));
    expect(server.mode()).toBe('both, callers disable');
    server.rollout.start(meshIn('strict'));
    await server.settle();
    expect(server.mode()).toBe('both, callers disable');
    await server.finish();
    expect(server.mode()).toBe('strict');
  });

  it('in the last step does not open again what was closed', async () => {
    const killed = run(meshIn('disable'));
    killed.rollout.start(meshIn('strict'));
    await killed.settle();
    await killed.take();
    await killed.takeMove();
    expect(killed.mode()).toBe('strict');
    const server = run(last(killed.records));
    const modes = [server.mode()];
    server.rollout.inForce.onChange((mesh) => modes.push(modeOf(mesh)));
    server.rollout.start(meshIn('strict'));
    await server.settle();
    await server.take();
    expect(new Set(modes)).toEqual(new Set(['strict']));
    expect(server.rollout.phase).toBeUndefined();
  });

  it('does not forget callers on their way when the file is turned back meanwhile', async () => {
    const killed = run(meshIn('strict'));
    killed.rollout.start(meshIn('disable'));
    await killed.settle();
    await killed.take();
    await killed.takeMove();
    expect(killed.mode()).toBe('disable');
    const server = run(last(killed.records));
    server.rollout.start(meshIn('strict'));
    await server.settle();
    expect(server.mode()).toBe('both, callers disable');
    await server.finish();
    expect(server.mode()).toBe('strict');
  });
});

it('a step that cannot be stored is not entered, and tried again', async () => {
  const server = run(meshIn('disable'));
  server.fail(new Error('disk full'));
  server.rollout.start(meshIn('strict'));
  await server.settle();
  expect(server.mode()).toBe('disable');
  server.fail(undefined);
  server.clock.advance(STORE_RETRY_MS);
  await server.settle();
  expect(server.mode()).toBe('both, callers disable');
});

describe('an edit that takes something away', () => {
  const allowing = (...names: string[]): Mesh =>
    meshOf(`trustDomain: shop.example
services:
  web: {}
  batch: {}
  ledger: { mtls: strict, allow: [ { from: [${names}] } ], ports: { 8080: http } }`);
  const both = allowing('web', 'batch');
  const one = allowing('web');
  const markOf = (server: ReturnType<typeof run>): string | undefined =>
    server.rollout.marks.identities['ledger:8080'];

  it('has its mark stored before it is in force', async () => {
    const server = run(both);
    server.rollout.start(one);
    expect(markOf(server)).toBeUndefined();
    expect(server.rollout.inForce.value).toBe(both);
    await server.settle();
    expect(markOf(server)).toMatch(/^[0-9a-f]{16}$/);
    expect(last(server.records).marks).toEqual(server.rollout.marks);
  });

  it('has the same mark after a restart, in the middle of it and after it', async () => {
    const killed = run(both);
    killed.rollout.start(one);
    await killed.settle();
    const mark = markOf(killed);
    const server = run(last(killed.records));
    expect(markOf(server)).toBe(mark);
    server.rollout.start(one);
    await server.settle();
    expect(markOf(server)).toBe(mark);
    await server.take();
    const again = run(reread(server.rollout.record));
    again.rollout.start(one);
    await again.settle();
    expect(markOf(again)).toBe(mark);
  });

  it('keeps its mark when it is given back, and has another the next time', async () => {
    const server = run(both);
    const marks: (string | undefined)[] = [];
    for (const mesh of [one, both, one, both]) {
      server.rollout.start(mesh);
      await server.settle();
      await server.take();
      marks.push(markOf(server));
    }
    const [first, given, second, last] = marks;
    expect(first).toBeDefined();
    expect([given, last]).toEqual([first, second]);
    expect(second).not.toBe(first);
  });

  it('is compared with all that may be in force, not with the last edit alone', async () => {
    const server = run(both);
    const neither = allowing('anyone');
    server.rollout.start(one);
    await server.settle();
    const mark = markOf(server);
    server.rollout.start(neither);
    await server.settle();
    expect(markOf(server)).toBe(mark);
    // Nobody has taken anything yet: batch may still be let in somewhere.
    server.rollout.start(one);
    await server.settle();
    expect(markOf(server)).not.toBe(mark);
  });

  it('is noticed where it was made while no server ran', async () => {
    const server = run(both);
    server.rollout.start(both);
    await server.settle();
    await server.take();
    const again = run(reread(server.rollout.record));
    again.rollout.start(one);
    await again.settle();
    expect(markOf(again)).toBeDefined();
  });
});

it('the record of another format is not read', async () => {
  const dataDir = new MemoryDataDir();
  const options = { dataDir, ...ROLLOUT_DOCUMENT };
  const store = createJsonStore(options);
  const stored = toStoredRollout(settledTracks(meshIn('strict')));
  await store.write(stored);
  const content = dataDir.files.get('rollout.json') ?? '';
  expect(JSON.parse(content)).toMatchObject({ format: 3 });
  expect(await store.read()).toBeDefined();
  dataDir.files.set('rollout.json', content.replace('"format": 3', '"format": 99'));
  expect(await store.read()).toBeUndefined();
});
