// A sidecar's Envoy is replaced while calls go through it: SIGHUP to the folder's supervise.sh.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { describeEnvoy, eventually, useHarness } from '../harness/index.js';
import {
  envoysOf,
  expectNoneLost,
  isAlone,
  replace,
  type Supervised,
  startSupervised,
} from './supervised.js';

await describeEnvoy('a sidecar whose Envoy is replaced', {}, ({ binary }) => {
  const harness = useHarness('hot-restart');
  let mesh: Supervised;

  beforeAll(async () => {
    mesh = await startSupervised(harness, binary);
  }, 60_000);

  test("no call fails when the callee's Envoy is replaced, and then the caller's", async () => {
    const loads = mesh.startLoads();
    await Promise.all(loads.map((load) => load.more(100, 20_000)));
    for (const sidecar of [mesh.ledger, mesh.web]) {
      const before = envoysOf(sidecar);
      await replace(sidecar);
      await Promise.all(loads.map((load) => load.more(200, 20_000)));
      await isAlone(sidecar);
      expect(before).not.toContain(envoysOf(sidecar)[0]);
    }
    await expectNoneLost(loads);
    expect(await mesh.mesh.wait()).toMatchObject({ inForce: true });
    expect((await mesh.mesh.status()).proxies).toHaveLength(2);
  }, 90_000);

  test('a mesh edit while two Envoys of a sidecar run is in force in both', async () => {
    await replace(mesh.ledger);
    expect(envoysOf(mesh.ledger)).toHaveLength(2);
    const text = readFileSync(mesh.mesh.meshPath, 'utf8');
    const loads = mesh.startLoads();
    await mesh.mesh.edit(text.replace('trustDomain', 'mtls: strict\ntrustDomain'));
    await mesh.mesh.edit(text);
    await expectNoneLost(loads);
    await isAlone(mesh.ledger);
  }, 60_000);
});

await describeEnvoy('a sidecar whose Envoy cannot be replaced', {}, ({ binary }) => {
  const harness = useHarness('no-hot-restart');
  let mesh: Supervised;

  beforeAll(async () => {
    mesh = await startSupervised(harness, binary);
  }, 60_000);

  const isLeftAlone = async (words: RegExp, mend: () => Promise<void> | void): Promise<void> => {
    const loads = mesh.startLoads();
    const [before] = envoysOf(mesh.ledger);
    mesh.ledger.signal('SIGHUP');
    await mesh.ledger.waitForLog(words, 20_000);
    expect(envoysOf(mesh.ledger)).toEqual([before]);
    await mend();
    await replace(mesh.ledger);
    await expectNoneLost(loads);
    await isAlone(mesh.ledger);
  };

  test('a file that Envoy refuses is left alone, and the next one is taken', async () => {
    const path = join(mesh.folder, 'envoy.json');
    const good = readFileSync(path, 'utf8');
    writeFileSync(path, good.replace('"node"', '"nodd"'));
    const words = /Envoy refuses envoy\.json: the sidecar goes on as it is/;
    await isLeftAlone(words, () => writeFileSync(path, good));
  }, 60_000);

  test('an Envoy that cannot take over is left alone, and the next one is taken', async () => {
    const other = join(mesh.mesh.dir, 'another');
    writeFileSync(other, '#!/bin/sh\necho 1.2\n', { mode: 0o755 });
    await mesh.install(other);
    const words = /can't take over from the one that runs: drain and restart the sidecar/;
    await isLeftAlone(words, () => mesh.install(binary));
  }, 60_000);

  test('SIGTERM ends all of it, and nothing is left', async () => {
    const shared = (): readonly string[] =>
      readdirSync('/dev/shm').filter((name) => name.startsWith('envoy_shared_memory'));
    const before = shared();
    const sidecar = await mesh.start();
    await eventually(() => shared().length > before.length, { what: 'its shared memory' });
    const [envoy] = envoysOf(sidecar);
    expect(await sidecar.stop()).toMatchObject({ code: 0 });
    expect(existsSync(`/proc/${envoy}`)).toBe(false);
    expect(shared()).toEqual(before);
  }, 30_000);
});
