import { beforeAll, expect, test } from 'vitest';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import type { Load } from '../../src/demo/load.js';
import { describeEnvoy, type Harness, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh, type TestService } from '../harness/start-mesh.js';

// Between two meshes (decision 041): what both let in works, and what both forbid doesn't, also
// while a caller's sidecar is stopped and holds the change where it is. `ledger` has two
// applications, which say who they are.

const PORTS = [8080, 8081] as const;

type Targets = (name: string) => TestService;

/** `ledger` with these settings, and rules of the mesh or a namespace. */
function toMesh(service: Targets, ledger: string, more = ''): string {
  const ports = PORTS.map((port, index) => {
    const target = service(index === 0 ? 'red' : 'blue').target(8080);
    return `${port}: { protocol: http, target: "${target}" }`;
  });
  return `
trustDomain: test.example
${more}
services: { web: {}, batch: {}, ledger: { ${ledger}, ports: { ${ports.join(', ')} } } }
`;
}

/** Each application under rules of its own, at either port. */
function toSwapped(service: Targets, isSwapped: boolean): string {
  const toPort = (name: string, caller: string): string =>
    `{ protocol: http, target: "${service(name).target(8080)}", allow: [ { from: [${caller}] } ] }`;
  const [red, blue] = [toPort('red', 'batch'), toPort('blue', 'web')];
  const [first, second] = isSwapped ? [blue, red] : [red, blue];
  return `
trustDomain: test.example
mtls: strict
services: { web: {}, batch: {}, ledger: { ports: { 8080: ${first}, 8081: ${second} } } }
`;
}

await describeEnvoy('between two meshes', {}, ({ binary }) => {
  const harness = useHarness('between');
  let world: World;

  beforeAll(async () => {
    world = await World.start(harness, binary);
  }, 60_000);

  const get = (): World => world;
  test('a caller that both meshes refuse is refused throughout', () => refuse(get()), 60_000);
  test('a caller that both meshes let in is served throughout', () => serve(get()), 60_000);
  test('nobody reaches the application of another while two swap', () => swap(get()), 60_000);
});

class World {
  private constructor(
    private readonly harness: Harness,
    readonly mesh: TestMesh,
    private readonly batch: EnvoyProcess,
    private readonly address: string,
  ) {}

  static async start(harness: Harness, binary: string): Promise<World> {
    const app = [{ port: 8080, kind: 'http' as const }];
    const mesh = await startMesh(harness, {
      binary,
      services: { web: [], batch: [], ledger: [], red: app, blue: app },
      mesh: (service) => toMesh(service, 'mtls: strict'),
    });
    const batch = await mesh.sidecar('batch');
    await Promise.all([mesh.sidecar('ledger'), mesh.sidecar('web')]);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    return new World(harness, mesh, batch, await mesh.outboundAddress('web', 'ledger'));
  }

  /** Calls of web's application: which application answers, or the status. */
  load(port: number, method: string): Load {
    const { address } = this;
    const fire = async (): Promise<string> => {
      const { status, body } = await httpCall({ address, port, method });
      return status === 200 ? (JSON.parse(body) as { service: string }).service : `${status}`;
    };
    return this.harness.load({ shot: () => ({ fire, close: () => {} }) });
  }

  /** Carries out an edit that batch's sidecar holds back for a while, if it concerns that. */
  async editHeldBack(text: string, during: () => Promise<unknown>): Promise<void> {
    const { mesh, batch } = this;
    process.kill(batch.process.pid, 'SIGSTOP');
    try {
      await mesh.write(text);
      await during();
    } finally {
      process.kill(batch.process.pid, 'SIGCONT');
    }
    expect(await mesh.wait()).toMatchObject({ inForce: true });
  }
}

/** Rules that name identities, inert where there are none, come alive nowhere. */
async function refuse(world: World): Promise<void> {
  const { mesh } = world;
  const deny = 'deny: [ { from: [web], methods: [POST] } ]';
  await mesh.edit(toMesh(mesh.service, 'mtls: strict', deny));
  const posts = world.load(8080, 'POST');
  await posts.more(20);
  const nobody = toMesh(mesh.service, 'mtls: disable, allow: [ { from: [web] } ]');
  await world.editHeldBack(nobody, () => posts.more(400));
  const { answers } = await posts.stop();
  expect(answers['red'] ?? 0).toBe(0);
  expect(answers['403']).toBeGreaterThan(10);
}

/** A deny rule that is inert in its own mesh takes nothing away in the other. */
async function serve(world: World): Promise<void> {
  const { mesh } = world;
  const inert = 'namespaces: { default: { deny: [ { from: [web] } ] } }';
  const disable = toMesh(mesh.service, 'mtls: disable', inert);
  await mesh.edit(disable);
  const loads = [world.load(8080, 'GET'), world.load(8081, 'POST')];
  const more = () => Promise.all(loads.map((one) => one.more(100)));
  await more();
  await world.editHeldBack(toMesh(mesh.service, 'mtls: strict'), more);
  await more();
  await world.editHeldBack(disable, more);
  await mesh.edit(toMesh(mesh.service, 'mtls: permissive'));
  await more();
  const results = await Promise.all(loads.map((one) => one.stop()));
  expect(results.map(({ failures }) => failures)).toEqual([0, 0]);
  expect(results.map(({ answers }) => Object.keys(answers))).toEqual([['red'], ['blue']]);
}

async function swap(world: World): Promise<void> {
  const { mesh } = world;
  await mesh.edit(toSwapped(mesh.service, false));
  const loads = PORTS.flatMap((port) => [world.load(port, 'GET'), world.load(port, 'GET')]);
  for (let edit = 0; edit < 4; edit++) {
    await mesh.edit(toSwapped(mesh.service, edit % 2 === 0));
    await Promise.all(loads.map((one) => one.more(10)));
  }
  const results = await Promise.all(loads.map((one) => one.stop()));
  const seen = new Set(results.flatMap(({ answers }) => Object.keys(answers)));
  expect(seen.has('red'), 'which lets in batch alone').toBe(false);
  expect(seen.has('blue')).toBe(true);
}
