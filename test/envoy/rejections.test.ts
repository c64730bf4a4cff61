import { createSecureServer } from 'node:http2';
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import { GONE_GRACE_MS } from '../../src/server/fleet/registry.js';
import { describeEnvoy, eventually, outcome, plainGet, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';

const PORT = 8080;

await describeEnvoy('what goes wrong is refused and shown', {}, ({ binary }) => {
  const harness = useHarness('rejections');
  let mesh: TestMesh;
  let web: EnvoyProcess;
  let ledger: EnvoyProcess;
  let address: string;
  const text = (access = ''): string => {
    const app = mesh.service('ledger').apps.get(PORT);
    return `
trustDomain: test.example
mtls: strict
services:
  web: {}
  reports: {}
  ledger:
    ports:
      ${PORT}: { protocol: http, target: "${app?.address}:${app?.port}"${access} }
`;
  };

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      binary,
      services: { web: [], reports: [], ledger: [{ port: PORT, kind: 'http' }] },
      mesh: (service) => {
        return `
trustDomain: test.example
mtls: strict
services:
  web: {}
  reports: {}
  ledger: { ports: { ${PORT}: { protocol: http, target: "${service('ledger').target(PORT)}" } } }
`;
      },
    });
    ledger = await mesh.sidecar('ledger');
    web = await mesh.sidecar('web');
    address = await mesh.outboundAddress('web', 'ledger');
  }, 60_000);

  beforeEach(async () => {
    if (!ledger.process.running) ledger = await mesh.sidecar('ledger');
    await mesh.edit(text());
    expect(await outcome(httpCall({ address, port: PORT }))).toBe('200');
  }, 60_000);

  /** Ends a sidecar, which the server then takes for one that may come back. */
  const stop = async (sidecar: EnvoyProcess | undefined, service: string): Promise<void> => {
    await sidecar?.stop();
    const isGone = async (): Promise<boolean> =>
      (await mesh.status()).proxies.every((proxy) => proxy.service !== service);
    await eventually(isGone, { what: `${service} gone` });
  };

  test('a sidecar that cannot bind is shown with its line, and wait says why', async () => {
    // Two sidecars on one outbound prefix: sharing an address would call under the wrong identity.
    const { outbound } = mesh.service('web');
    const reports = await mesh.sidecar('reports', { outbound }).catch(() => undefined);
    await eventually(
      async () => {
        const { proxies } = await mesh.status();
        const proxy = proxies.find(({ service }) => service === 'reports');
        return proxy?.types.lds?.state === 'nacked';
      },
      { what: 'the rejection in status', timeoutMs: 20_000 },
    );
    const { proxies } = await mesh.status();
    const lds = proxies.find(({ service }) => service === 'reports')?.types.lds;
    expect(lds?.error).toMatch(/[Aa]ddress already in use|cannot bind/);
    expect(lds?.source).toMatch(/mesh\.yaml:9:7/);
    const answer = await mesh.wait();
    expect(answer).toMatchObject({ inForce: false, reason: 'nacked' });
    expect(answer.nacks?.[0]).toMatchObject({ type: 'lds' });
    // The rest of the fleet is served on, and gets what is new.
    expect(await outcome(httpCall({ address, port: PORT }))).toBe('200');
    await mesh.write(text(', allow: [ { from: [web, reports], methods: [GET] } ]'));
    await eventually(
      async () => (await outcome(httpCall({ address, port: PORT, method: 'POST' }))) === '403',
      { what: 'the new rule', timeoutMs: 20_000 },
    );
    // Not even a change in phases waits for it.
    for (const mtls of ['disable', 'strict']) {
      const before = (await mesh.status()).mesh.version;
      await mesh.write(text(`, mtls: ${mtls}`));
      await eventually(
        async () => {
          const { phase, mesh: shown } = await mesh.status();
          return shown.version !== before && phase === null;
        },
        { what: `phases to ${mtls}`, timeoutMs: 20_000 },
      );
      expect(await outcome(httpCall({ address, port: PORT }))).toBe('200');
    }
    // Only the listener that can't bind is tried again (test/envoy/bind.test.ts).
    expect(await reports?.admin.stat('listener_manager.listener_modified')).toBe(0);
    const unbound = (await mesh.status()).proxies.flatMap((proxy) => proxy.unbound);
    expect(unbound).toMatchObject([
      { listener: `outbound:ledger:${PORT}`, hint: expect.stringContaining('--outbound') },
    ]);
    await stop(reports, 'reports');
    // A phase waits for a sidecar that may come back, for its grace and no longer.
    await mesh.write(text(', mtls: disable'));
    const isWaiting = async (): Promise<boolean> => {
      const waitingFor = (await mesh.status()).phase?.waitingFor ?? [];
      return waitingFor.length === 1 && waitingFor[0]?.startsWith('reports~') === true;
    };
    await eventually(isWaiting, { what: 'a phase that waits for it alone' });
    mesh.clock.putForward(GONE_GRACE_MS);
    await eventually(async () => (await mesh.wait(5_000)).inForce, {
      what: 'the mesh in force without that sidecar',
      timeoutMs: 20_000,
    });
  }, 120_000);

  test('a service that a prefix has no address for is left out and told', async () => {
    const pool = await harness.addresses();
    const outbound = pool.block().replace('/24', '/30');
    const small = await mesh.sidecar('reports', { outbound, instance: 'small' });
    await mesh.write(text(', allow: [ { from: [web, reports], methods: [PUT] } ]'));
    const answer = await mesh.wait();
    expect(answer).toMatchObject({ inForce: false, reason: 'nacked' });
    expect(answer.nacks?.[0]?.error).toMatch(/outbound prefix too small for 1 services: ledger/);
    expect(JSON.stringify(await small.admin.listeners())).not.toContain('outbound:ledger');
    expect(await outcome(httpCall({ address, port: PORT, method: 'PUT' }))).toBe('200');
    expect(await outcome(httpCall({ address, port: PORT, method: 'GET' }))).toBe('403');
    expect((await mesh.status()).phase).toBeNull();
    await stop(small, 'reports');
    mesh.clock.putForward(GONE_GRACE_MS);
    await mesh.write(text());
    await eventually(async () => (await mesh.wait(5_000)).inForce, {
      what: 'the mesh in force without it',
      timeoutMs: 40_000,
    });
  }, 90_000);

  test("another identity at the ledger's address is not talked to (secure naming)", async () => {
    const { address: host } = mesh.service('ledger');
    await stop(ledger, 'ledger');
    const { key, cert } = await mesh.certificate('web');
    let requests = 0;
    const rogue = createSecureServer({ key, cert }, (_request, response) => {
      requests++;
      response.end('rogue');
    });
    await new Promise<void>((resolve) => rogue.listen(15443, host, resolve));
    onTestFinished(() => new Promise<void>((resolve) => rogue.close(() => resolve())));
    const failures = (): Promise<number> =>
      web.admin.stat('cluster.ledger_8080.ssl.fail_verify_san');
    const before = await failures();
    expect(await outcome(httpCall({ address, port: PORT }))).toBe('503');
    expect(await failures()).toBeGreaterThan(before);
    expect(requests).toBe(0);
  }, 60_000);

  test('a sidecar that is gone is no endpoint any more, after its grace', async () => {
    const endpoint = `"${mesh.service('ledger').address}"`;
    const isEndpoint = async (): Promise<boolean> => {
      const { body } = await plainGet({ ...web.admin, path: '/clusters?format=json' });
      expect(body).toContain('cluster_statuses');
      return body.includes(endpoint);
    };
    await stop(ledger, 'ledger');
    mesh.clock.putForward(GONE_GRACE_MS / 2);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    expect(await isEndpoint()).toBe(true);
    mesh.clock.putForward(GONE_GRACE_MS / 2);
    await eventually(async () => !(await isEndpoint()), {
      what: 'the endpoint gone',
      timeoutMs: 30_000,
    });
  }, 60_000);
});
