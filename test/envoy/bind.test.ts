import { createServer } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import { describeEnvoy, eventually, outcome, requireEnvoy, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';

// A listener that can't bind is that listener's trouble only. Two sidecars of one service, each as
// one of the two ways in which Envoys ask: delta, and state of the world on an older Envoy.
const TAKEN = 8080;
const FREE = 8081;
const PLAIN = 8082;
const OLD = await requireEnvoy({ version: '1.36.4' });

await describeEnvoy('a listener that cannot bind', {}, ({ binary }) => {
  const harness = useHarness('bind');
  const variants = [
    { instance: 'delta', sotw: false, binary },
    ...(OLD.found ? [{ instance: 'sotw', sotw: true, binary: OLD.envoy.binary }] : []),
  ];
  const at = new Map<string, string>();
  const sidecars = new Map<string, EnvoyProcess>();
  const holders = new Map<string, () => Promise<void>>();
  let mesh: TestMesh;
  let address: string;

  const hold = async (instance: string): Promise<void> => {
    const server = createServer().listen(TAKEN, at.get(instance));
    await new Promise((resolve) => server.once('listening', resolve));
    const free = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
    holders.set(instance, free);
    harness.defer(`holder of ${instance}`, free);
  };
  const proxyOf = async (instance: string) =>
    (await mesh.status()).proxies.find(({ node }) => node === `ledger~${instance}`);
  /** How often it answered on that port: 1.36 writes the `:` of a name. */
  const answers = async (instance: string, port: number): Promise<number> => {
    const name = `^http\\.inbound[:_]${port}\\.downstream_rq_2xx$`;
    const stats = await sidecars.get(instance)?.admin.stats(name);
    return [...(stats?.values() ?? [])][0] ?? 0;
  };

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      binary,
      services: {
        web: [],
        ledger: [TAKEN, FREE, PLAIN].map((port) => ({ port, kind: 'http' as const })),
      },
      mesh: (service) => {
        const target = (port: number): string =>
          `protocol: http, target: "${service('ledger').target(port)}"`;
        return `
trustDomain: test.example
mtls: permissive
services:
  web: {}
  ledger:
    ports:
      ${TAKEN}: { ${target(TAKEN)} }
      ${FREE}: { ${target(FREE)} }
      ${PLAIN}: { ${target(PLAIN)}, mtls: disable }
`;
      },
    });
    const pool = await harness.addresses();
    await mesh.sidecar('web');
    for (const { instance, ...how } of variants) {
      const own = { address: pool.address(), outbound: pool.block() };
      at.set(instance, own.address);
      await hold(instance);
      sidecars.set(instance, await mesh.sidecar('ledger', { instance, ...own, ...how }));
    }
    address = await mesh.outboundAddress('web', 'ledger');
  }, 90_000);

  test.each(variants)('$instance: names port, holder and the line of the service', async (one) => {
    await eventually(async () => (await proxyOf(one.instance))?.unbound[0]?.holder !== null, {
      what: 'the holder',
      timeoutMs: 20_000,
    });
    const proxy = await proxyOf(one.instance);
    expect(proxy?.unbound).toMatchObject([
      {
        listener: `inbound:${TAKEN}`,
        address: `${at.get(one.instance)}:${TAKEN}`,
        reason: 'in-use',
        error: 'Address already in use',
        source: expect.stringMatching(/mesh\.yaml:8:7$/),
      },
    ]);
    expect(proxy?.unbound[0]?.holder).toContain(`(pid ${process.pid})`);
    expect(await mesh.wait()).toMatchObject({ inForce: false, reason: 'nacked' });
  });

  test.each(variants)('$instance: the other ports serve, plain and in the mesh', async (one) => {
    const own = at.get(one.instance) ?? '';
    expect(await outcome(httpCall({ address: own, port: FREE }))).toBe('200');
    // In the mesh calls come by the mesh port, so even those of the port that is taken.
    for (const port of [FREE, PLAIN, TAKEN]) {
      const before = await answers(one.instance, port);
      await eventually(
        async () => {
          expect(await outcome(httpCall({ address, port }))).toBe('200');
          return (await answers(one.instance, port)) > before;
        },
        { what: `a call of ${port} at ${one.instance}`, timeoutMs: 10_000 },
      );
    }
  });

  test.each(variants)(
    '$instance: binds by itself when its port is free',
    async (one) => {
      const modified = 'listener_manager.listener_modified';
      const before = await sidecars.get(one.instance)?.admin.stat(modified);
      await holders.get(one.instance)?.();
      const own = at.get(one.instance) ?? '';
      await eventually(
        async () => (await outcome(httpCall({ address: own, port: TAKEN }))) === '200',
        { what: 'the port bound', timeoutMs: 70_000 },
      );
      await eventually(async () => (await proxyOf(one.instance))?.types.lds?.state === 'synced', {
        what: 'synced',
        timeoutMs: 5_000,
      });
      expect((await proxyOf(one.instance))?.unbound).toEqual([]);
      // Nothing else was touched.
      expect(await sidecars.get(one.instance)?.admin.stat(modified)).toBe(before);
    },
    90_000,
  );

  test('the mesh is then in force, and the log tells it in a few lines', async () => {
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    const lines = mesh.log.map(({ level, message }) => `${level} ${message}`);
    const count = (text: string): number => lines.filter((line) => line === text).length;
    expect(count('error a listener cannot bind: the others serve, and it is tried again')).toBe(
      variants.length,
    );
    expect(count('info a listener no longer fails to bind')).toBe(variants.length);
    expect(count('error a sidecar rejected its configuration')).toBe(0);
  });
});
