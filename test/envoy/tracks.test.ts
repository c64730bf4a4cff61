import { beforeAll, expect, test } from 'vitest';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import type { Load } from '../../src/demo/load.js';
import { STAGE_DEADLINE_MS } from '../../src/server/mesh/index.js';
import { describeEnvoy, eventually, type Harness, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';

// Each port goes its own way (decision 044): a sidecar that takes nothing holds back its own
// service's ports, which go back, and nobody else's.

const PORT = 8080;

await describeEnvoy('tracks', {}, ({ binary }) => {
  const harness = useHarness('tracks');
  let world: World;
  beforeAll(async () => {
    world = await World.start(harness, binary);
  }, 60_000);
  const get = (): World => world;
  test('a stopped sidecar turns its own port back, and no other', () => turnBack(get()), 90_000);
  test('what it says of that in its metrics', () => showMetrics(get()), 20_000);
});

class World {
  private constructor(
    private readonly harness: Harness,
    readonly mesh: TestMesh,
    readonly ledger: EnvoyProcess,
  ) {}

  static async start(harness: Harness, binary: string): Promise<World> {
    const app = [{ port: PORT, kind: 'http' as const }];
    const mesh = await startMesh(harness, {
      binary,
      services: { web: [], ledger: app, store: app },
      mesh: () => '{ trustDomain: test.example, services: { web: {}, ledger: {}, store: {} } }',
    });
    const [ledger] = await Promise.all([
      mesh.sidecar('ledger'),
      mesh.sidecar('store'),
      mesh.sidecar('web'),
    ]);
    const world = new World(harness, mesh, ledger);
    await mesh.edit(world.text('strict'));
    return world;
  }

  /** Where it is strict, web alone calls. */
  text(mtls: 'strict' | 'disable'): string {
    const from = mtls === 'strict' ? 'web' : 'anyone';
    const settings = `protocol: http, mtls: ${mtls}, allow: [ { from: [${from}] } ]`;
    const toPort = (name: string): string =>
      `{ ${settings}, target: "${this.mesh.service(name).target(PORT)}" }`;
    return `
trustDomain: test.example
services:
  web: {}
  ledger: { ports: { ${PORT}: ${toPort('ledger')} } }
  store: { ports: { ${PORT}: ${toPort('store')} } }
`;
  }

  /** Calls of web's application to store. */
  async load(): Promise<Load> {
    const address = await this.mesh.outboundAddress('web', 'store');
    const fire = async (): Promise<string> => {
      return String((await httpCall({ address, port: PORT })).status);
    };
    return this.harness.load({ shot: () => ({ fire, close: () => {} }) });
  }

  /** What becomes of a call without a sidecar, in plain text. */
  callPlain(name: string): Promise<string> {
    const { address } = this.mesh.service(name);
    return httpCall({ address, port: PORT }).then(
      ({ status }) => String(status),
      () => 'refused',
    );
  }
}

async function turnBack(world: World): Promise<void> {
  const { mesh, ledger } = world;
  const load = await world.load();
  await load.more(20);
  process.kill(ledger.process.pid, 'SIGSTOP');
  try {
    await mesh.write(world.text('disable'));
    const stepsNow = async (): Promise<string> =>
      (await mesh.status()).steps.map(({ of, step }) => `${step} ${of}`).join();
    const expected = `widen ledger:${PORT},narrow store:${PORT}`;
    await eventually(async () => (await stepsNow()) === expected, {
      ...{ what: 'the other port at its last step', timeoutMs: 15_000 },
    });
    expect(await world.callPlain('store'), 'it takes plain text by now').toBe('200');
    mesh.clock.putForward(STAGE_DEADLINE_MS);
    await eventually(async () => (await mesh.status()).held.length === 1, { what: 'held' });
    const { held } = await mesh.status();
    expect(held).toMatchObject([{ of: `ledger:${PORT}`, why: 'mute' }]);
    expect(await mesh.wait(1_000)).toMatchObject({ inForce: false, reason: 'held' });
  } finally {
    process.kill(ledger.process.pid, 'SIGCONT');
  }
  await eventually(async () => (await mesh.wait(2_000)).inForce, {
    ...{ what: 'the change, tried again', timeoutMs: 30_000 },
  });
  expect(await world.callPlain('ledger')).toBe('200');
  const { answers } = await load.stop();
  expect(Object.keys(answers)).toEqual(['200']);
}

async function showMetrics({ mesh }: World): Promise<void> {
  const { host, port } = mesh.server().adminAddress;
  const metrics = await (await fetch(`http://${host}:${port}/metrics`)).text();
  expect(metrics).toContain('countersign_changes_turned_back_total 1\n');
  expect(metrics).toContain('countersign_changes_held 0\n');
  expect(metrics).toContain('countersign_steps_running{step="widen"} 0\n');
  expect(metrics).toMatch(/countersign_steps_done_total\{step="move"\} [2-9]/);
}
