import { beforeAll, expect, test } from 'vitest';
import { httpCall } from '../../src/demo/http-client.js';
import { httpShot } from '../../src/demo/load-shots.js';
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
});
