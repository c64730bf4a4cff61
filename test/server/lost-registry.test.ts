import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Closers, systemClock, systemRandom, systemUptime } from '../../src/base/index.js';
import { openDataDir } from '../../src/data/index.js';
import { toAddressSet } from '../../src/server/addresses/index.js';
import { DEFAULT_INSTANCE_LIMITS } from '../../src/server/fleet/index.js';
import { openState } from '../../src/server/state.js';
import { recordingLogger } from '../fakes/recording-logger.js';

// Without registry.json its endpoints are taken from sidecars.json, which also has static Envoys.

test('a static Envoy that was connected does not become an endpoint', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'countersign-registry-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const [meshPath, dataPath] = [join(dir, 'mesh.yaml'), join(dir, 'data')];
  await writeFile(
    meshPath,
    'trustDomain: test.example\nservices: { web: { ports: { 80: http } } }\n',
  );
  const open = async () => {
    const closers = new Closers();
    const state = await openState(
      {
        ...{ meshPath, dataPath, xdsHost: '127.0.0.1', caPassphrase: undefined },
        ...{ allowed: toAddressSet([]), maxInstances: DEFAULT_INSTANCE_LIMITS, anew: new Set() },
        ...{ systemTime: systemClock, uptime: systemUptime, isClockRight: false },
        ...{ logger: recordingLogger(), random: systemRandom },
      },
      closers,
    );
    return { state, close: () => closers.close() };
  };
  await (await open()).close();
  const dataDir = await openDataDir({ path: dataPath, lock: false });
  const sidecar = { node: 'web~10.0.0.1', service: 'web', address: '10.0.0.1' };
  const own = { node: 'web~10.0.0.2', service: 'web', address: '10.0.0.2', isStatic: true };
  await dataDir.write('registry.json', '[]');
  // Now it belongs to the folder.
  await (await open()).close();
  await dataDir.write('sidecars.json', JSON.stringify({ version: 1, sidecars: [sidecar, own] }));
  await rm(join(dataPath, 'registry.json'));
  const { state, close } = await open();
  const endpoints = [...state.registry.endpoints.value.values()].flat();
  await close();
  expect(endpoints).toEqual([{ address: '10.0.0.1' }]);
});
