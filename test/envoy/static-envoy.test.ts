import { beforeAll, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { offerCaChain } from '../../src/ca/change/index.js';
import { createCaChain, loadAuthority } from '../../src/ca/index.js';
import { type DataDir, openDataDir } from '../../src/data/index.js';
import { createOrderStore } from '../../src/data/orders/index.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { orderRenewal } from '../../src/leaves/index.js';
import { MESH_PORT } from '../../src/policy/index.js';
import { addRevocation, removeRevocation } from '../../src/revocation/index.js';
import { GONE_GRACE_MS } from '../../src/server/fleet/registry.js';
import { generateKeys } from '../../src/x509/keys/index.js';
import { describeEnvoy, eventually, outcome, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';
import { type StaticEnvoyOptions, toStaticEnvoy } from './static-bootstrap.js';

// An Envoy with a configuration of its operator's own, that takes its secrets alone, by SDS: each
// request has a handshake of its own, and none fails whatever becomes of its secrets.

const PORT = 8080;
const TOOLS = { clock: systemClock, random: systemRandom, keySource: generateKeys };
const toMesh =
  (mode: string) =>
  (service: (name: string) => { target(port: number): string }): string =>
    `
trustDomain: test.example
mtls: ${mode}
services:
  gateway: {}
  ledger:
    ports: { ${PORT}: { protocol: http, target: "${service('ledger').target(PORT)}" } }
`;

type Api = StaticEnvoyOptions['api'];
type Harness = ReturnType<typeof useHarness>;

interface World {
  readonly harness: Harness;
  readonly mesh: TestMesh;
  readonly dataDir: DataDir;
  readonly gateway: EnvoyProcess;
  /** Where it takes calls for the ledger. */
  readonly at: { readonly address: string; readonly port: number };
  /** Another one. */
  start(more: Partial<StaticEnvoyOptions>): Promise<EnvoyProcess>;
}

async function openWorld(harness: Harness, { binary, api }: { binary: string; api: Api }) {
  const mesh = await startMesh(harness, {
    binary,
    services: { gateway: [], ledger: [{ port: PORT, kind: 'http' }] },
    mesh: toMesh('strict'),
  });
  const pool = await harness.addresses();
  const { address } = mesh.service('gateway');
  const callee = { ...mesh.service('ledger'), port: MESH_PORT };
  const open = async (more: Partial<StaticEnvoyOptions> = {}) => {
    const listener = { address, port: await pool.port(address) };
    const admin = { address, port: await pool.port(address) };
    const serverName = `${PORT}.ledger.default.mesh`;
    const bootstrap = await toStaticEnvoy({
      ...{ mesh, service: 'gateway', api, admin, listener, callee, serverName },
      ...more,
    });
    const name = more.instance ?? 'gateway';
    return { at: listener, envoy: await harness.envoy({ binary, name, bootstrap }) };
  };
  await mesh.sidecar('ledger');
  const { at, envoy: gateway } = await open();
  await gateway.waitReady();
  const dataDir = await openDataDir({ path: mesh.dataPath, lock: false });
  const start = async (more: Partial<StaticEnvoyOptions>) => (await open(more)).envoy;
  const world: World = { harness, mesh, dataDir, gateway, at, start };
  await inSync(world);
  return world;
}

async function inSync({ mesh }: World): Promise<void> {
  const count = async (): Promise<number> =>
    (await mesh.status()).proxies.filter(({ state }) => state === 'synced').length;
  await eventually(async () => (await count()) === 2, { what: 'both in sync', timeoutMs: 30_000 });
}

/** All calls while the work is done are answered by the ledger. */
async function underLoad({ harness, at }: World, work: () => Promise<unknown>): Promise<void> {
  const load = harness.load({ shot: httpShot({ ...at, path: '/x' }, 'keep-alive') });
  await load.more(20);
  await work();
  await load.more(20);
  const { answers, failures, errors } = await load.stop();
  expect({ kinds: Object.keys(answers), failures, errors }).toEqual({
    ...{ kinds: ['200'], failures: 0, errors: [] },
  });
}

const call = ({ at }: World): Promise<string> => outcome(httpCall({ ...at, path: '/x' }));

async function offerRoot({ dataDir }: World): Promise<string> {
  const chain = await createCaChain('test.example', TOOLS);
  await offerCaChain(createOrderStore(dataDir), chain, TOOLS);
  return chain.root.pem;
}

function rootAlone({ dataDir }: World, pem: string): Promise<unknown> {
  const load = async () => (await loadAuthority({ dataDir, ...TOOLS })).trustAnchorsPem;
  return eventually(async () => (await load()) === pem, {
    what: 'the new root alone',
    timeoutMs: 60_000,
  });
}

const leavesOf = async ({ gateway }: World): Promise<string> =>
  JSON.stringify((await gateway.admin.certificates()).map(({ leaf }) => leaf));

const isAlone = ({ mesh }: World, proxies: number): Promise<unknown> =>
  eventually(async () => (await mesh.status()).proxies.length === proxies, {
    what: `${proxies} connected`,
    timeoutMs: 10_000,
  });

function whatItIs(world: () => World): void {
  test('calls as its service, is nobody’s endpoint, and is shown as what it is', async () => {
    const { mesh, at } = world();
    const { body } = await httpCall({ ...at, path: '/x' });
    expect(body).toContain('URI=spiffe://test.example/ns/default/sa/gateway');
    expect(await mesh.wait()).toMatchObject({ inForce: true, proxies: 2 });
    const { proxies, services } = await mesh.status();
    const own = proxies.find(({ service }) => service === 'gateway');
    expect(own).toMatchObject({
      ...{ state: 'synced', secretsOnly: true },
      types: { sds: { state: 'synced', subscribed: true } },
    });
    expect(Object.keys(own?.types ?? {})).toEqual(['sds']);
    expect(services).toMatchObject([{ service: 'gateway', connected: 1, synced: 1 }, {}]);
  });

  test('one that asks for a secret that there is not is told so', async () => {
    const { mesh, start } = world();
    const envoy = await start({ instance: 'lost', anchors: 'mine' });
    await eventually(async () => (await mesh.wait(0)).reason === 'nacked', {
      what: 'the answer of wait',
      timeoutMs: 20_000,
    });
    const error = 'there is no secret "mine" for it, but default, ROOTCA';
    expect(await mesh.wait()).toMatchObject({
      nacks: [{ node: 'gateway~lost', type: 'sds', error }],
    });
    expect(mesh.log.filter(({ level }) => level === 'error')).toMatchObject([
      { message: 'a static Envoy asks for secrets that there are not', names: ['mine'] },
    ]);
    await envoy.stop();
    await isAlone(world(), 2);
    // Nobody waits for its return any more.
    mesh.clock.putForward(GONE_GRACE_MS);
  }, 60_000);

  test('revoked it is shut out, by the server and by whom it calls', async () => {
    const { mesh, dataDir } = world();
    expect(await call(world())).toBe('200');
    const subject = { kind: 'service', subject: 'gateway' } as const;
    await addRevocation(dataDir, { ...subject, revokedAtMs: systemClock.now() });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    expect(await call(world())).not.toBe('200');
    await isAlone(world(), 1);
    await removeRevocation(dataDir, subject);
    await inSync(world());
    expect(await call(world())).toBe('200');
  }, 60_000);
}

function whatChanges(world: () => World): void {
  test('a new certificate reaches it, and no request fails', async () => {
    const before = await leavesOf(world());
    const store = createOrderStore(world().dataDir);
    await underLoad(world(), async () => {
      await orderRenewal({ service: 'gateway' }, { ...TOOLS, store });
      await eventually(async () => (await leavesOf(world())) !== before, {
        what: 'another certificate',
        timeoutMs: 20_000,
      });
    });
  }, 60_000);

  test('a new root waits for it, and no request fails', async () => {
    await underLoad(world(), async () => rootAlone(world(), await offerRoot(world())));
    expect(await world().mesh.wait()).toMatchObject({ inForce: true });
  }, 90_000);

  test('a server that starts again in the middle of that waits for its return', async () => {
    const { mesh } = world();
    await underLoad(world(), async () => {
      await mesh.stop();
      const root = await offerRoot(world());
      await mesh.start();
      await rootAlone(world(), root);
      await inSync(world());
    });
  }, 120_000);

  test('an edit of the mesh does not wait for it', async () => {
    const { mesh } = world();
    await underLoad(world(), async () => {
      await mesh.edit(toMesh('permissive')(mesh.service));
      await mesh.edit(toMesh('strict')(mesh.service));
    });
  }, 60_000);
}

for (const api of ['DELTA_GRPC', 'GRPC'] as const) {
  await describeEnvoy(`a static Envoy by ${api}`, {}, ({ binary }) => {
    const harness = useHarness('static-envoy');
    let opened: World | undefined;
    const world = (): World => {
      if (opened === undefined) throw new Error('the world is not open');
      return opened;
    };

    beforeAll(async () => {
      opened = await openWorld(harness, { binary, api });
    }, 60_000);

    whatItIs(world);
    whatChanges(world);
  });
}
