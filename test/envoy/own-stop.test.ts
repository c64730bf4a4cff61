// Sidecars that run.sh starts and SIGTERM stops, as Docker and systemd do, under load.
import { readdir } from 'node:fs/promises';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import type { Load } from '../../src/demo/load.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { type FolderSidecar, startFolderSidecar } from '../harness/folder-sidecar.js';
import { describeEnvoy, eventually, type Harness, useHarness } from '../harness/index.js';
import { openTcp } from '../harness/open-connection.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';
import { tcpShot } from '../harness/tcp-shot.js';

const HTTP = 8080;
const TCP = 6000;
const NAMES = ['one', 'two', 'three'];

const startTestMesh = (harness: Harness, binary: string): Promise<TestMesh> =>
  startMesh(harness, {
    binary,
    services: {
      web: [],
      ledger: [
        { port: HTTP, kind: 'http' },
        { port: TCP, kind: 'tcp' },
      ],
    },
    mesh: (service) => `
trustDomain: test.example
mtls: strict
services:
  web: {}
  ledger:
    ports:
      ${HTTP}: { protocol: http, target: "${service('ledger').target(HTTP)}" }
      ${TCP}: { protocol: tcp, target: "${service('ledger').target(TCP)}" }
`,
  });

/** Envoy 1.36 has a colon in that name. */
const ANSWERED = /^http\.inbound[_:]8080\.downstream_rq_2xx: (\d+)$/m;

async function answered({ admin }: FolderSidecar): Promise<number> {
  return Number(ANSWERED.exec(await admin.statsText())?.[1] ?? 0);
}

const MEMBERS = /^cluster\.ledger[_:]8080\.membership_total: (\d+)$/m;

/** At how many addresses it calls the ledger. */
async function endpointsOf({ admin }: EnvoyProcess): Promise<number> {
  return Number(MEMBERS.exec(await admin.statsText())?.[1] ?? 0);
}

/** How many calls there were in all, and what became of those that weren't answered well. */
async function endOf(loads: readonly Load[]) {
  const results = await Promise.all(loads.map((load) => load.stop()));
  const bad = results.flatMap(({ answers, errors }) => [
    ...Object.keys(answers).filter((answer) => /^[45]/.test(answer)),
    ...errors,
  ]);
  const failures = results.reduce((sum, one) => sum + one.failures, 0);
  return { calls: results.reduce((sum, { requests }) => sum + requests, 0), failures, bad };
}

/** Three instances of the ledger, each started by its run.sh, and web, which calls them. */
class World {
  readonly sidecars: FolderSidecar[] = [];
  readonly #harness: Harness;
  mesh!: TestMesh;
  web!: EnvoyProcess;
  address!: string;
  /** Where run.sh writes. */
  tmp!: string;

  constructor(harness: Harness) {
    this.#harness = harness;
  }

  get one(): FolderSidecar {
    const [one] = this.sidecars;
    if (one === undefined) throw new Error('no sidecar was started');
    return one;
  }

  async start(binary: string): Promise<void> {
    const harness = this.#harness;
    this.mesh = await startTestMesh(harness, binary);
    this.tmp = await harness.tempDir();
    const { mesh, tmp } = this;
    const options = { harness, mesh, binary, service: 'ledger', tmp };
    const starting = NAMES.map((instance) => startFolderSidecar({ ...options, instance }));
    this.sidecars.push(...(await Promise.all(starting)));
    this.web = await mesh.sidecar('web');
    this.address = await mesh.outboundAddress('web', 'ledger');
  }

  async isCalled(sidecar: FolderSidecar): Promise<void> {
    await eventually(() => sidecar.admin.ready(), { timeoutMs: 20_000 });
    const { address } = this;
    const before = await answered(sidecar);
    const called = async (): Promise<boolean> => {
      const load = this.#harness.load({ shot: httpShot({ address, port: HTTP }, 'per-request') });
      await load.more(10);
      await load.stop();
      return (await answered(sidecar)) > before;
    };
    await eventually(called, { what: 'a call at that instance', timeoutMs: 20_000 });
  }

  load(): Load[] {
    const { address } = this;
    const http = { address, port: HTTP };
    const tcp = { address, port: TCP };
    return [
      this.#harness.load({ shot: httpShot(http, 'keep-alive'), concurrency: 8 }),
      this.#harness.load({ shot: httpShot(http, 'per-request'), concurrency: 2 }),
      this.#harness.load({ shot: tcpShot(tcp, 'per-request'), concurrency: 2 }),
    ];
  }
}

function testOrder(world: World): void {
  test('one after the other, loses none of several thousand calls', async () => {
    const loads = world.load();
    for (const sidecar of world.sidecars) {
      await Promise.all(loads.map((load) => load.more(100, 20_000)));
      await sidecar.child.stop();
      expect(sidecar.child.exit).toMatchObject({ code: 0, signal: null });
      await Promise.all(loads.map((load) => load.more(100, 20_000)));
      await sidecar.start();
      await world.isCalled(sidecar);
    }
    const end = await endOf(loads);
    expect(end).toMatchObject({ failures: 0, bad: [] });
    expect(end.calls).toBeGreaterThan(4_000);
    // Nothing of it stays.
    expect((await world.mesh.status()).drains).toEqual([]);
    expect(await readdir(world.tmp)).toHaveLength(NAMES.length);
  }, 60_000);

  test('what is open there still speaks, and when it ends the sidecar does', async () => {
    const { one, mesh, address } = world;
    const opened = await Promise.all(
      Array.from({ length: 6 }, () => openTcp({ address, port: TCP })),
    );
    const stopping = one.child.stop();
    await eventually(async () => (await mesh.status()).drains[0]?.stage === 'done', {
      what: 'the sidecar to take no new connections',
      timeoutMs: 20_000,
    });
    for (const open of opened) await open.echo();
    for (const open of opened) open.close();
    await stopping;
    expect(one.child.exit).toMatchObject({ code: 0, signal: null });
  }, 60_000);
}

function testKill(world: World): void {
  test('an Envoy does not outlive its run.sh, however that ends; calls go elsewhere', async () => {
    const { one, web } = world;
    const loads = world.load();
    await Promise.all(loads.map((load) => load.more(50, 20_000)));
    process.kill(one.child.pid, 'SIGKILL');
    await eventually(async () => !(await one.admin.ready().catch(() => false)), {
      what: 'its Envoy to be gone',
      timeoutMs: 10_000,
    });
    // Long before the grace of 10 s is over in which it may come back.
    await eventually(async () => (await endpointsOf(web)) === NAMES.length - 1, {
      what: 'web to be told',
      timeoutMs: 6_000,
    });
    await Promise.all(loads.map((load) => load.more(100, 20_000)));
    const end = await endOf(loads);
    // What was on its way there, one a worker at most, can't be asked again by anybody.
    expect(end.failures + end.bad.length).toBeLessThanOrEqual(12);
  }, 60_000);
}

await describeEnvoy('a sidecar that is stopped by SIGTERM', {}, ({ binary }) => {
  const world = new World(useHarness('own-stop'));

  beforeAll(() => world.start(binary), 60_000);

  // Whatever the test before has left: all three run and are called.
  beforeEach(async () => {
    for (const sidecar of world.sidecars) if (!sidecar.child.running) await sidecar.start();
    for (const sidecar of world.sidecars) await world.isCalled(sidecar);
  }, 60_000);

  testOrder(world);
  testKill(world);
});
