// A data folder that is lost, in whole or in part, beside real Envoys with traffic: who was shut
// out is served nothing, and of what is allowed no call fails, while the server runs and over a
// start. test/faults/damaged.test.ts has every file in every state; here are those that matter.
import { cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { openDataDir } from '../../src/data/index.js';
import { type Load, startLoad } from '../../src/demo/load.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { addRevocation } from '../../src/revocation/index.js';
import { describeEnvoy, eventually, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh, type TestService } from '../harness/start-mesh.js';

const PORT = 8080;
const BATCH = { kind: 'service', subject: 'batch' } as const;
/** Calls of each while a state lasts. */
const CALLS = 15;

const toMesh = (ledger: TestService): string => `trustDomain: test.example
services:
  web: {}
  batch: {}
  ledger:
    ports: { ${PORT}: { protocol: http, mtls: strict, target: '${ledger.target(PORT)}' } }
`;

/** What befalls the folder of a running server, and what puts it right. */
interface Accident {
  readonly name: string;
  readonly happens: (data: string) => Promise<void>;
  /** What `status` names. */
  readonly told: string;
}

const empty = async (data: string, folder: string): Promise<void> => {
  for (const file of await readdir(join(data, folder)))
    await writeFile(join(data, folder, file), '');
};

const ACCIDENTS: readonly Accident[] = [
  { name: 'moved away', happens: (data) => rename(data, `${data}.away`), told: 'is gone' },
  {
    name: 'replaced by an empty one',
    happens: async (data) => {
      await rename(data, `${data}.away`);
      await mkdir(data, { mode: 0o700 });
    },
    told: 'is another',
  },
  {
    name: 'without its revocations',
    happens: (data) => rm(join(data, 'revocations'), { recursive: true }),
    told: 'revocations',
  },
  {
    name: 'its revocations emptied',
    happens: (data) => empty(data, 'revocations'),
    told: 'damaged',
  },
  {
    name: 'without its keys',
    happens: async (data) => {
      for (const name of ['authority.json', 'token-keys.json']) await rm(join(data, name));
    },
    told: 'authority.json',
  },
];

await describeEnvoy('a data folder that is lost', {}, ({ binary }) => {
  const harness = useHarness('lost-folder');
  let mesh: TestMesh;
  let kept: string;
  let loads: { readonly web: Load; readonly batch: Load };

  const load = async (caller: string): Promise<Load> => {
    const address = await mesh.outboundAddress(caller, 'ledger');
    const shot = httpShot({ address, port: PORT }, 'per-request');
    return startLoad({ shot, concurrency: 1, pauseMs: 5 });
  };
  const texts = async (): Promise<string> =>
    (await mesh.status()).warnings.map(({ text }) => text).join('\n');
  const expectGoesOn = async (): Promise<void> => {
    await Promise.all(Object.values(loads).map((one) => one.more(CALLS)));
    const [web, batch] = [loads.web.result(), loads.batch.result()];
    expect({ ...web.answers, failures: web.failures }).toEqual({
      200: expect.any(Number),
      failures: 0,
    });
    expect(Object.keys(batch.answers)).not.toContain('200');
    expect((await mesh.status()).revocations).toMatchObject([BATCH]);
  };

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      binary,
      services: { web: [], batch: [], ledger: [{ port: PORT, kind: 'http' }] },
      mesh: (service) => toMesh(service('ledger')),
    });
    for (const name of ['ledger', 'web', 'batch']) await mesh.sidecar(name);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    const dataDir = await openDataDir({ path: mesh.dataPath, lock: false });
    await addRevocation(dataDir, { ...BATCH, revokedAtMs: systemClock.now() });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    kept = join(mesh.dir, 'kept');
    await cp(mesh.dataPath, kept, { recursive: true });
    loads = { web: await load('web'), batch: await load('batch') };
    // Batch's own sidecar knows that it is shut out.
    await expectGoesOn();
  }, 60_000);
  afterAll(async () => {
    await Promise.all(Object.values(loads ?? {}).map((one) => one.stop()));
  });

  test.each(ACCIDENTS)('$name under a running server', { timeout: 30_000 }, async (accident) => {
    const { dataPath: data } = mesh;
    // What a start has lost is said until the next one.
    const before = await texts();
    await accident.happens(data);
    await eventually(async () => (await texts()).includes(accident.told), {
      what: `a warning that says "${accident.told}"`,
      timeoutMs: 10_000,
    });
    await expectGoesOn();
    await putBack(data);
    await vi.waitFor(async () => expect(await texts()).toBe(before), {
      timeout: 10_000,
      interval: 50,
    });
    await expectGoesOn();
  });

  async function putBack(data: string): Promise<void> {
    const away = `${data}.away`;
    if ((await readdir(mesh.dir)).includes('data.away')) {
      await rm(data, { recursive: true, force: true });
      await rename(away, data);
      return;
    }
    for (const name of ['authority.json', 'token-keys.json', 'revocations']) {
      await cp(join(kept, name), join(data, name), { recursive: true });
    }
  }

  test('a start without all that can be made again', { timeout: 60_000 }, async () => {
    const lost = ['registry.json', 'mesh.json', 'outbound-indexes.json', 'crls.json', 'clock.json'];
    const damaged = ['rollout.json', 'revocation-marks.json', 'xds-server.json'];
    await mesh.stop();
    for (const name of lost) await rm(join(mesh.dataPath, name));
    for (const name of damaged) await writeFile(join(mesh.dataPath, name), '{');
    await mesh.start();
    const told = await texts();
    for (const name of [...lost, ...damaged]) expect(told).toContain(name);
    await eventually(async () => (await mesh.status()).proxies.length === 2, {
      what: 'the sidecars that are not shut out',
      timeoutMs: 30_000,
    });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    await expectGoesOn();
  });

  test('a start without the revocations, which the marks know', { timeout: 60_000 }, async () => {
    await mesh.stop();
    await rm(join(mesh.dataPath, 'revocations'), { recursive: true });
    await mesh.start();
    await eventually(async () => (await mesh.status()).proxies.length === 2, {
      what: 'the sidecars that are not shut out',
      timeoutMs: 30_000,
    });
    expect(await texts()).toContain('revocations');
    await expectGoesOn();
  });
});
