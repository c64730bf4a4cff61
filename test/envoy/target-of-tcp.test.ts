// The target of a tcp port changes under connections that its old chain has just taken.
import { beforeAll, expect, test } from 'vitest';
import { describeEnvoy, useHarness } from '../harness/index.js';
import { openTcp } from '../harness/open-connection.js';
import { startMesh, type TestMesh, type TestService } from '../harness/start-mesh.js';
import { tcpShot } from '../harness/tcp-shot.js';

const toMesh = (service: (name: string) => TestService, app: string) => `
trustDomain: test.example
mtls: strict
services:
  web: {}
  store: { ports: { 6000: { protocol: tcp, target: "${service(app).target(6000)}" } } }
`;

await describeEnvoy('the target of a tcp port', {}, ({ binary }) => {
  const harness = useHarness('target');
  let mesh: TestMesh;
  let address: string;

  beforeAll(async () => {
    const app = [{ port: 6000, kind: 'tcp' as const }];
    mesh = await startMesh(harness, {
      binary,
      services: { web: [], store: [], east: app, west: app },
      mesh: (service) => toMesh(service, 'east'),
    });
    await Promise.all(['store', 'web'].map((name) => mesh.sidecar(name, { drainTimeS: 5 })));
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    address = await mesh.outboundAddress('web', 'store');
  }, 60_000);

  test('is changed under new connections, and none fails', async () => {
    const { key, cert } = await mesh.certificate('web');
    const tls = { key, cert };
    const direct = { address: mesh.service('store').address, port: 6000, tls };
    const loads = [direct, { address, port: 6000 }].map((to) =>
      harness.load({ shot: tcpShot(to, 'per-request'), concurrency: 6, pauseMs: 0 }),
    );
    for (let edit = 0; edit < 4; edit++) {
      await Promise.all(loads.map((load) => load.more(60)));
      await mesh.edit(toMesh(mesh.service, edit % 2 === 0 ? 'west' : 'east'));
    }
    const results = await Promise.all(loads.map((load) => load.stop()));
    expect(results.map(({ failures, errors }) => [failures, errors])).toEqual([
      [0, []],
      [0, []],
    ]);
  }, 120_000);

  test('is changed under an open connection, which goes on for the drain time', async () => {
    await mesh.edit(toMesh(mesh.service, 'east'));
    const open = await openTcp({ address, port: 6000 });
    await mesh.edit(toMesh(mesh.service, 'west'));
    await open.echo();
    open.close();
  }, 60_000);
});
