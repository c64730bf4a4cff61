// Clusters, virtual hosts and scoped routes on demand, on a stock Envoy that the library serves
// from one linear cache.
import { Server } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import {
  ALL_SERVICES,
  attachDiscovery,
  createLinearCache,
  mergeHooks,
  serverOptions,
} from '../../src/grpc/library.js';
import { listen } from '../grpc/ads-server.js';
import { describeEnvoy, eventually, plainGet, useHarness } from '../harness/index.js';
import {
  cluster,
  listener,
  type Place,
  route,
  scopedRoute,
  toBootstrap,
  toCluster,
  toHost,
  toListeners,
  toRoutes,
  toScope,
  virtualHost,
} from './on-demand-config.js';

/** What a user writes: clusters and hosts are looked up when an Envoy asks, and take a while. */
async function startServer(app: Place) {
  const server = new Server(serverOptions());
  const wanted: string[] = [];
  const cache = createLinearCache({
    // Nobody gets all clusters or all hosts: each Envoy has what it has asked for. One host comes
    // unasked, since a listener with VHDS warms until there is any (or for 15 s).
    wildcard: (_, { typeUrl, name }) =>
      typeUrl === virtualHost ? name === 'hosts/first.test' : typeUrl !== cluster,
    async onDemand({ typeUrl, name }) {
      wanted.push(name);
      await new Promise((resolve) => setImmediate(resolve));
      if (typeUrl === cluster && name === 'late') cache.set(cluster, toCluster('late', app));
      if (name === 'hosts/known.test') cache.set(virtualHost, toHost('known.test'));
    },
  });
  cache.set(cluster, toCluster('never-asked-for', app));
  cache.update(virtualHost, { set: ['never-asked-for.test', 'first.test'].map(toHost) });
  const rejected: string[] = [];
  attachDiscovery(server, {
    services: ALL_SERVICES,
    authenticate: ({ node }) => node.id,
    hooks: mergeHooks(cache.hooks, {
      onUpdate(_, update) {
        if (update.kind === 'nacked') rejected.push(update.rejection.message);
      },
    }),
  });
  const port = Number((await listen(server)).split(':')[1]);
  const stop = (): void => server.forceShutdown();
  return { cache, wanted, rejected, stop, xds: { address: '127.0.0.1', port } };
}

interface Setting {
  readonly harness: ReturnType<typeof useHarness>;
  readonly binary: string;
}

/** The server, and an Envoy that it has configured. */
async function start({ harness, binary }: Setting, variant: 'sotw' | 'delta') {
  const pool = await harness.addresses();
  const address = pool.address();
  const place = async (): Promise<Place> => ({ address, port: await pool.port(address) });
  const app = await harness.echoHttp({ name: 'app', ...(await place()) });
  const server = await startServer(app);
  harness.defer('xDS server', server.stop);
  const places = { odcds: await place(), vhds: await place(), srds: await place() };
  const { cache } = server;
  cache.update(listener, { set: toListeners(places) });
  cache.update(route, { set: toRoutes() });
  cache.update(scopedRoute, { set: [toScope('a'), toScope('b')] });
  const admin = await place();
  const bootstrap = toBootstrap(variant === 'delta', { admin, xds: server.xds });
  const proxy = await harness.envoy({ binary, name: variant, bootstrap });
  await proxy.waitReady();
  const call = (at: Place, headers: Readonly<Record<string, string>>) =>
    plainGet({ ...at, headers });
  const status = async (at: Place, headers: Readonly<Record<string, string>>) =>
    (await call(at, headers)).status;
  const clusters = async () => (await plainGet({ ...admin, path: '/clusters' })).body;
  return { ...server, proxy, places, status, clusters };
}

const inScope = (name: string) => ({ 'x-scope': name });

await describeEnvoy('on demand', {}, ({ binary }) => {
  const setting = { harness: useHarness('on-demand'), binary };

  test('a cluster, a host and scopes: the first request is answered, unknown at once', async () => {
    const { places, status, clusters, ...server } = await start(setting, 'delta');
    const { cache, wanted, rejected, proxy } = server;
    // 1. ODCDS: no 503 before the 200, and a cluster that nobody knows is no wait for five seconds.
    expect(await status(places.odcds, { 'x-cluster': 'late' })).toBe(200);
    expect(await status(places.odcds, { 'x-cluster': 'no-such' })).toBe(503);
    expect(await clusters()).not.toContain('never-asked-for');

    // 2. VHDS: a host that doesn't exist doesn't hang; one that comes later is served.
    expect(await status(places.vhds, { host: 'known.test' })).toBe(200);
    expect(await status(places.vhds, { host: 'unknown.test' })).toBe(404);
    cache.set(virtualHost, toHost('unknown.test'));
    await eventually(async () => (await status(places.vhds, { host: 'unknown.test' })) === 200, {
      what: 'a host that came later',
    });
    expect(wanted).toContain('hosts/unknown.test');

    // 3. SRDS: a scope that is gone is gone.
    expect(await status(places.srds, inScope('a'))).toBe(200);
    cache.delete(scopedRoute, 'a');
    await eventually(async () => (await status(places.srds, inScope('a'))) === 404, {
      what: 'the end of the scope',
    });
    expect(await status(places.srds, inScope('b'))).toBe(200);
    expect(rejected).toEqual([]);
    await proxy.stop();
  });

  test('SotW: a scope that is taken away is gone, and comes back', async () => {
    const { places, status, cache, proxy } = await start(setting, 'sotw');
    expect(await status(places.srds, inScope('a'))).toBe(200);
    cache.delete(scopedRoute, 'a');
    await eventually(async () => (await status(places.srds, inScope('a'))) === 404, {
      what: 'the end of the scope',
    });
    expect(await status(places.srds, inScope('b'))).toBe(200);
    cache.set(scopedRoute, toScope('a'));
    await eventually(async () => (await status(places.srds, inScope('a'))) === 200, {
      what: 'the scope',
    });
    await proxy.stop();
  });
});
