import { expect, it } from 'vitest';
import { followMesh } from '../../src/server/follow-mesh.js';
import type { MeshSource, MeshState, Rollout } from '../../src/server/mesh/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { settle } from '../fakes/settle.js';
import { meshOf } from '../policy/helpers.js';
import { diskFull } from '../x509/tools.js';

const stateOf = (services: string): MeshState => ({
  mesh: meshOf(`trustDomain: shop.example\nservices: ${services}`),
  problems: [],
  loadedAtMs: 0,
  files: [],
});

function setup() {
  const clock = new ManualClock();
  const logger = recordingLogger();
  const first = stateOf('{ web: {} }');
  let listener: (state: MeshState) => void = () => undefined;
  const source = {
    state: first,
    onChange: (given: typeof listener) => {
      listener = given;
    },
    start: () => undefined,
    pendingChanges: { add: () => () => undefined },
  };
  const disk = { failure: undefined as Error | undefined, tries: 0 };
  const started: string[] = [];
  const rollout = {
    start: (mesh: MeshState['mesh']) => void started.push(mesh.version),
    advance: () => undefined,
  };
  const indexes = {
    get: () => 1,
    ensure: async () => {
      disk.tries++;
      if (disk.failure !== undefined) throw disk.failure;
    },
  };
  const stop = followMesh({
    ...{ clock, logger, indexes, onChange: () => undefined, sidecars: () => [] },
    source: source as unknown as MeshSource,
    rollout: rollout as unknown as Rollout,
  });
  const edit = async (services: string): Promise<string> => {
    source.state = stateOf(services);
    listener(source.state);
    await settle();
    return source.state.mesh.version;
  };
  const breakFile = (): void => {
    const message = 'expected a mesh';
    const problem = { severity: 'error', message } as unknown as MeshState['problems'][number];
    listener({ ...source.state, problems: [problem] });
  };
  const pass = async (ms: number): Promise<void> => {
    for (let passedMs = 0; passedMs < ms; passedMs += 1_000) {
      clock.advance(1_000);
      await settle();
    }
  };
  return { clock, disk, started, edit, breakFile, pass, stop };
}

it('an edit that meets a full disk is put in force when there is room', async () => {
  const { disk, started, edit, pass } = setup();
  disk.failure = diskFull();
  const version = await edit('{ web: {}, ledger: {} }');
  await pass(30_000);
  expect(started).not.toContain(version);
  // With growing pauses: at 0, 2, 6, 14 and 30 s.
  expect(disk.tries).toBe(5);
  disk.failure = undefined;
  await pass(60_000);
  expect(started.slice(1)).toEqual([version]);
});

it('a newer edit takes the place of one that waits for the disk', async () => {
  const { disk, started, edit, pass, clock } = setup();
  disk.failure = diskFull();
  await edit('{ web: {}, ledger: {} }');
  disk.failure = undefined;
  const version = await edit('{ web: {}, back: {} }');
  await pass(120_000);
  expect(started.slice(1)).toEqual([version]);
  expect(clock.pending).toBe(0);
});

it('a broken edit leaves one that waits for the disk waiting', async () => {
  const { disk, started, edit, pass, breakFile } = setup();
  disk.failure = diskFull();
  const version = await edit('{ web: {}, ledger: {} }');
  breakFile();
  disk.failure = undefined;
  await pass(60_000);
  expect(started.slice(1)).toEqual([version]);
});

it('stopped, it tries nothing any more', async () => {
  const { disk, edit, clock, stop } = setup();
  disk.failure = diskFull();
  await edit('{ web: {}, ledger: {} }');
  stop();
  expect(clock.pending).toBe(0);
});
