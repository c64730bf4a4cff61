import { beforeAll, expect, test } from 'vitest';
import { httpCall } from '../../src/demo/http-client.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { GONE_GRACE_MS } from '../../src/server/fleet/registry.js';
import { describeEnvoy, eventually, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';
import { tcpShot } from '../harness/tcp-shot.js';

// Two sidecars of one service: the connected sidecars are the registry.
const HTTP_PORT = 8080;
const TCP_PORT = 6000;

await describeEnvoy('instances of a service', {}, ({ binary }) => {
  const harness = useHarness('instances');
  let mesh: TestMesh;
  let address: string;

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      binary,
      services: {
        web: [],
        ledger: [
          { port: HTTP_PORT, kind: 'http' },
          { port: TCP_PORT, kind: 'tcp' },
        ],
        thief: [{ port: HTTP_PORT, kind: 'http' }],
      },
      mesh: (service) => {
        const target = (port: number): string => `"${service('ledger').target(port)}"`;
        return `
trustDomain: test.example
mtls: strict
services:
  web: {}
  ledger:
    ports:
      ${HTTP_PORT}: { protocol: http, target: ${target(HTTP_PORT)} }
      ${TCP_PORT}: { protocol: tcp, target: ${target(TCP_PORT)} }
  thief:
    ports:
      ${HTTP_PORT}: { protocol: http, target: "${service('thief').target(HTTP_PORT)}" }
`;
      },
    });
    await mesh.sidecar('ledger', { instance: 'one' });
    await mesh.sidecar('web');
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    address = await mesh.outboundAddress('web', 'ledger');
  }, 60_000);

  test('one that joins gets calls, each instance with a certificate of its own', async () => {
    const pool = await harness.addresses();
    const second = await mesh.sidecar('ledger', {
      instance: 'two',
      address: pool.address(),
      outbound: pool.block(),
    });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    await eventually(
      async () => {
        await httpCall({ address, port: HTTP_PORT });
        return (await second.admin.stat('http.inbound_8080.downstream_rq_2xx')) > 0;
      },
      { what: 'a call at the second instance', timeoutMs: 20_000 },
    );
    const { proxies } = await mesh.status();
    const ledgers = proxies.filter(({ service }) => service === 'ledger');
    expect(ledgers.map(({ node }) => node)).toEqual(['ledger~one', 'ledger~two']);
    expect(new Set(ledgers.map(({ certificate }) => certificate?.serial)).size).toBe(2);
    expect(new Set(ledgers.map(({ certificate }) => certificate?.spiffeId))).toEqual(
      new Set(['spiffe://test.example/ns/default/sa/ledger']),
    );
  }, 60_000);

  test('one that is killed costs no new request: another one is tried', async () => {
    const pool = await harness.addresses();
    const third = await mesh.sidecar('ledger', {
      instance: 'three',
      address: pool.address(),
      outbound: pool.block(),
    });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    await third.process.kill();
    const loads = [
      harness.load({ shot: httpShot({ address, port: HTTP_PORT }, 'per-request'), total: 200 }),
      harness.load({ shot: tcpShot({ address, port: TCP_PORT }, 'per-request'), total: 200 }),
    ];
    for (const load of loads) {
      expect(await load.done).toMatchObject({ failures: 0, errors: [] });
      const refused = Object.keys(load.result().answers).filter((answer) => /^[45]/.test(answer));
      expect(refused).toEqual([]);
    }
  }, 60_000);

  test('whose address another service took waits, and is back when that is gone', async () => {
    const pool = await harness.addresses();
    const place = { instance: 'four', address: pool.address(), outbound: pool.block() };
    const before = await mesh.sidecar('ledger', place);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    await before.process.kill();
    const isThere = async (node: string): Promise<boolean> =>
      (await mesh.status()).proxies.some((proxy) => proxy.node === node);
    await eventually(async () => !(await isThere('ledger~four')), { what: 'it is gone' });
    mesh.clock.putForward(GONE_GRACE_MS);
    const thief = await mesh.sidecar('thief', { ...place, instance: 'x' });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    const owner = mesh.sidecar('ledger', place);
    const parties = { claim: 'ledger~four', holder: 'thief~x', address: place.address };
    await eventually(async () => (await mesh.status()).refused.length > 0, { what: 'a refusal' });
    expect((await mesh.status()).refused).toMatchObject([{ code: 'address-in-use', ...parties }]);
    expect(await mesh.wait(0)).toMatchObject({ inForce: false });
    await thief.process.kill();
    // Envoy sent nothing anew: the server let in the stream that it had.
    await eventually(() => isThere('ledger~four'), { what: 'the owner', timeoutMs: 3_000 });
    expect(mesh.log.filter(({ message }) => message === 'sidecar refused')).toEqual([]);
    await owner;
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    expect((await mesh.status()).refused).toEqual([]);
  }, 60_000);
});
