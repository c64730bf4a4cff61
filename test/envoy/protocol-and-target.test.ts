// The protocol and the target of a port change in one edit: connections that still drain go on.
import { beforeAll, expect, test } from 'vitest';
import { httpShot } from '../../src/demo/load-shots.js';
import { describeEnvoy, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh, type TestService } from '../harness/start-mesh.js';

const toMesh = (service: (name: string) => TestService, protocol: string, app: string) => `
trustDomain: test.example
mtls: permissive
services:
  web: {}
  ledger: { ports: { 8080: { protocol: ${protocol}, target: "${service(app).target(8080)}" } } }
`;

await describeEnvoy('protocol and target at once', {}, ({ binary }) => {
  const harness = useHarness('protocol-and-target');
  let mesh: TestMesh;
  let address: string;

  beforeAll(async () => {
    const app = [{ port: 8080, kind: 'http' as const }];
    mesh = await startMesh(harness, {
      binary,
      services: { web: [], ledger: [], red: app, blue: app },
      mesh: (service) => toMesh(service, 'http', 'red'),
    });
    await Promise.all(['ledger', 'web'].map((name) => mesh.sidecar(name, { drainTimeS: 5 })));
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    address = await mesh.outboundAddress('web', 'ledger');
  }, 60_000);

  test('fails no request of a kept connection while its chain drains', async () => {
    const plain = { address: mesh.service('ledger').address, port: 8080 };
    const loads = [{ address, port: 8080 }, plain].map((to) =>
      harness.load({ shot: httpShot(to, 'keep-alive'), concurrency: 4 }),
    );
    await Promise.all(loads.map((load) => load.more(50)));
    await mesh.edit(toMesh(mesh.service, 'tcp', 'blue'));
    await Promise.all(loads.map((load) => load.more(100)));
    const results = await Promise.all(loads.map((load) => load.stop()));
    expect(results.map(({ answers }) => Object.keys(answers))).toEqual([['200'], ['200']]);
  }, 60_000);
});
