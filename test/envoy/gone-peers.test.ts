import { beforeAll, expect, test } from 'vitest';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import { describeEnvoy, outcome, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';

// A peer that says nothing any more: its callers notice.
const PORT = 8080;

await describeEnvoy('a peer that is gone without a word', {}, ({ binary }) => {
  const harness = useHarness('gone-peers');
  let mesh: TestMesh;
  let app: EnvoyProcess;

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      binary,
      services: { web: [], app: [{ port: PORT, kind: 'http' }] },
      mesh: (service) => {
        const at = service('app').apps.get(PORT);
        return `
trustDomain: test.example
services:
  web: {}
  app: { ports: { ${PORT}: { protocol: http, target: "${at?.address}:${at?.port}" } } }
`;
      },
    });
    [app] = await Promise.all([mesh.sidecar('app'), mesh.sidecar('web')]);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
  }, 60_000);

  test('a call in flight to a sidecar that stopped gets an error within 16 s', async () => {
    const address = await mesh.outboundAddress('web', 'app');
    expect(await outcome(httpCall({ address, port: PORT }))).toBe('200');
    process.kill(app.process.pid, 'SIGSTOP');
    try {
      const call = httpCall({ address, port: PORT, path: '/slow?ms=100', timeoutMs: 16_000 });
      expect(await outcome(call)).toBe('503');
    } finally {
      process.kill(app.process.pid, 'SIGCONT');
    }
    expect(await outcome(httpCall({ address, port: PORT }))).toBe('200');
  }, 30_000);
});
