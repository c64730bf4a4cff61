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
import { describeEnvoy, eventually, type Harness, useHarness } from '../harness/index.js';
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

/** A mesh of which `batch` is shut out, with calls of both. */
class LostMesh {
  readonly mesh: TestMesh;
  readonly #kept: string;
  readonly #loads: { readonly web: Load; readonly batch: Load };

  private constructor(mesh: TestMesh, kept: string, loads: { web: Load; batch: Load }) {
    this.mesh = mesh;
    this.#kept = kept;
    this.#loads = loads;
  }

  static async start(harness: Harness, binary: string): Promise<LostMesh> {
    const mesh = await startMesh(harness, {
      binary,
      services: { web: [], batch: [], ledger: [{ port: PORT, kind: 'http' }] },
      mesh: (service) => toMesh(service('ledger')),
    });
    for (const name of ['ledger', 'web', 'batch']) await mesh.sidecar(name);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    const dataDir = await openDataDir({ path: mesh.dataPath, lock: false });
    await addRevocation(dataDir, { ...BATCH, revokedAtMs: systemClock.now() });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    const kept = join(mesh.dir, 'kept');
    await cp(mesh.dataPath, kept, { recursive: true });
    const load = async (caller: string): Promise<Load> => {
      const address = await mesh.outboundAddress(caller, 'ledger');
      const shot = httpShot({ address, port: PORT }, 'per-request');
      return startLoad({ shot, concurrency: 1, pauseMs: 5 });
    };
    return new LostMesh(mesh, kept, { web: await load('web'), batch: await load('batch') });
  }

  async texts(): Promise<string> {
    return (await this.mesh.status()).warnings.map(({ text }) => text).join('\n');
  }

  /** What is allowed, all of it, and nothing else. */
  async expectGoesOn(): Promise<void> {
    const { web, batch } = this.#loads;
    await Promise.all([web.more(CALLS), batch.more(CALLS)]);
    const { answers, failures } = web.result();
    expect({ ...answers, failures }).toEqual({ 200: expect.any(Number), failures: 0 });
    expect(Object.keys(batch.result().answers)).not.toContain('200');
    expect((await this.mesh.status()).revocations).toMatchObject([BATCH]);
  }

  async putBack(): Promise<void> {
    const { dir, dataPath } = this.mesh;
    if ((await readdir(dir)).includes('data.away')) {
      await rm(dataPath, { recursive: true, force: true });
      await rename(`${dataPath}.away`, dataPath);
      return;
    }
    for (const name of ['authority.json', 'token-keys.json', 'revocations']) {
      await cp(join(this.#kept, name), join(dataPath, name), { recursive: true });
    }
  }

  async startAgain(): Promise<void> {
    await this.mesh.start();
    await eventually(async () => (await this.mesh.status()).proxies.length === 2, {
      what: 'the sidecars that are not shut out',
      timeoutMs: 30_000,
    });
    expect(await this.mesh.wait()).toMatchObject({ inForce: true });
  }

  async stop(): Promise<void> {
    await Promise.all([this.#loads.web.stop(), this.#loads.batch.stop()]);
  }
}

await describeEnvoy('a data folder that is lost', {}, ({ binary }) => {
  const harness = useHarness('lost-folder');
  let lost: LostMesh;

  beforeAll(async () => {
    lost = await LostMesh.start(harness, binary);
    await lost.expectGoesOn();
  }, 60_000);
  afterAll(() => lost?.stop());

  test.each(ACCIDENTS)('$name under a running server', { timeout: 30_000 }, async (accident) => {
    // What a start has lost is said until the next one.
    const before = await lost.texts();
    await accident.happens(lost.mesh.dataPath);
    await eventually(async () => (await lost.texts()).includes(accident.told), {
      what: `a warning that says "${accident.told}"`,
      timeoutMs: 10_000,
    });
    await lost.expectGoesOn();
    await lost.putBack();
    const isOver = async () => expect(await lost.texts()).toBe(before);
    await vi.waitFor(isOver, { timeout: 10_000, interval: 50 });
    await lost.expectGoesOn();
  });

  test('a start without all that can be made again', { timeout: 60_000 }, async () => {
    const gone = ['registry.json', 'mesh.json', 'outbound-indexes.json', 'crls.json', 'clock.json'];
    const damaged = ['rollout.json', 'revocation-marks.json', 'xds-server.json'];
    await lost.mesh.stop();
    for (const name of gone) await rm(join(lost.mesh.dataPath, name));
    for (const name of damaged) await writeFile(join(lost.mesh.dataPath, name), '{');
    await lost.startAgain();
    const told = await lost.texts();
    for (const name of [...gone, ...damaged]) expect(told).toContain(name);
    await lost.expectGoesOn();
  });

  test('a start without the revocations, which the marks know', { timeout: 60_000 }, async () => {
    await lost.mesh.stop();
    await rm(join(lost.mesh.dataPath, 'revocations'), { recursive: true });
    await lost.startAgain();
    expect(await lost.texts()).toContain('revocations');
    await lost.expectGoesOn();
  });
});
