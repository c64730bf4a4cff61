// gRPC's own xDS client (@grpc/grpc-js-xds) resolves an xds: target over our server and calls what
// it finds: a client that nobody here wrote, other than Envoy.
import { Client, credentials, Server } from '@grpc/grpc-js';
import { register } from '@grpc/grpc-js-xds';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { type Encoder, envoy } from '../../src/gen/envoy.js';
import type { DiscoveryStream, StreamUpdate } from '../../src/grpc/index.js';
import { createResource, createSnapshot, type Snapshot, TYPE_URLS } from '../../src/xds/index.js';
import { type AdsServer, listen, startAdsServer } from './ads-server.js';

const METHOD = '/test.Greeter/Greet';
const BOOTSTRAP = 'GRPC_XDS_BOOTSTRAP_CONFIG';
const identity = (bytes: Buffer): Buffer => bytes;
const core = envoy.config.core.v3;
const { Cluster } = envoy.config.cluster.v3;

const cleanups: (() => void)[] = [];
let before: string | undefined;
beforeEach(() => {
  before = process.env[BOOTSTRAP];
});
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
  if (before === undefined) delete process.env[BOOTSTRAP];
  else process.env[BOOTSTRAP] = before;
});

/** A gRPC server that answers with its name; its port. */
async function startBackend(name: string): Promise<number> {
  const server = new Server();
  const method = {
    path: METHOD,
    requestStream: false,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
  server.addService(
    { Greet: method },
    {
      Greet: (_call: unknown, done: (error: null, answer: Buffer) => void) =>
        done(null, Buffer.from(name)),
    },
  );
  const address = await listen(server);
  cleanups.push(() => server.forceShutdown());
  return Number(address.split(':')[1]);
}

function toSnapshot(port: number, clusterType: 'EDS' | 'STATIC' = 'EDS'): Snapshot {
  const ads = { ads: {}, resourceApiVersion: core.ApiVersion.V3 };
  const one = <T>(name: string, encoder: Encoder<T>, message: T) => [
    createResource({ name, value: encoder.encode(message).finish() }),
  ];
  const manager = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
  const { Router } = envoy.extensions.filters.http.router.v3;
  const TYPE = 'type.googleapis.com/envoy.extensions.filters';
  const router = { type_url: `${TYPE}.http.router.v3.Router`, value: Router.encode({}).finish() };
  const http = manager.encode({
    rds: { configSource: ads, routeConfigName: 'routes' },
    httpFilters: [{ name: 'router', typedConfig: router }],
  });
  const type_url = `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`;
  const apiListener = { apiListener: { type_url, value: http.finish() } };
  const endpoint = { address: { socketAddress: { address: '127.0.0.1', portValue: port } } };
  const route = { match: { prefix: '' }, route: { cluster: 'greeter' } };
  return createSnapshot([
    [
      TYPE_URLS.listener,
      one('greeter.test', envoy.config.listener.v3.Listener, { name: 'greeter.test', apiListener }),
    ],
    [
      TYPE_URLS.route,
      one('routes', envoy.config.route.v3.RouteConfiguration, {
        name: 'routes',
        virtualHosts: [{ name: 'all', domains: ['*'], routes: [route] }],
      }),
    ],
    [
      TYPE_URLS.cluster,
      one('greeter', Cluster, {
        name: 'greeter',
        type: Cluster.DiscoveryType[clusterType],
        edsClusterConfig: { edsConfig: ads },
      }),
    ],
    [
      TYPE_URLS.endpoint,
      one('greeter', envoy.config.endpoint.v3.ClusterLoadAssignment, {
        clusterName: 'greeter',
        endpoints: [
          {
            locality: { zone: 'a' },
            loadBalancingWeight: { value: 1 },
            lbEndpoints: [{ endpoint, healthStatus: core.HealthStatus.HEALTHY }],
          },
        ],
      }),
    ],
  ]);
}

interface Running extends AdsServer<string> {
  set(snapshot: Snapshot): void;
  /** The next answer of that kind to what was set last. */
  heard(kind: 'acked' | 'nacked'): Promise<StreamUpdate>;
}

async function startXds(first: Snapshot): Promise<Running> {
  let snapshot = first;
  const waiting: { kind: string; resolve: (update: StreamUpdate) => void }[] = [];
  const started = await startAdsServer<string>({
    authenticate: ({ node }) => node.id,
    hooks: {
      onConnect: (stream: DiscoveryStream<string>) => stream.setSnapshot(snapshot),
      onUpdate(_, update) {
        const at = waiting.findIndex(({ kind }) => kind === update.kind);
        if (at !== -1) waiting.splice(at, 1)[0]?.resolve(update);
      },
    },
  });
  cleanups.push(started.stop);
  return {
    ...started,
    set(next) {
      snapshot = next;
      for (const stream of started.discovery.streams()) stream.setSnapshot(next);
    },
    heard: (kind) => new Promise((resolve) => waiting.push({ kind, resolve })),
  };
}

test('an xds: target is resolved, follows a change, and outlives a bad one', async () => {
  const [one, two] = [await startBackend('one'), await startBackend('two')];
  const xds = await startXds(toSnapshot(one));
  process.env[BOOTSTRAP] = JSON.stringify({
    node: { id: 'grpc-client', locality: {} },
    xds_servers: [
      {
        server_uri: xds.address,
        channel_creds: [{ type: 'insecure' }],
        server_features: ['xds_v3'],
      },
    ],
  });
  register();
  const client = new Client('xds:///greeter.test', credentials.createInsecure());
  cleanups.push(() => client.close());
  const greet = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const deadline = systemClock.now() + 10_000;
      client.makeUnaryRequest(
        METHOD,
        identity,
        identity,
        Buffer.alloc(0),
        { deadline },
        (error, answer) => (error ? reject(error) : resolve(String(answer))),
      );
    });
  expect(await greet()).toBe('one');
  expect(xds.discovery.streams().map(({ auth, node }) => [auth, node.userAgentName])).toEqual([
    ['grpc-client', 'gRPC Node Pure JS'],
  ]);

  const acked = xds.heard('acked');
  xds.set(toSnapshot(two));
  await acked;
  expect(await greet()).toBe('two');

  const nacked = xds.heard('nacked');
  xds.set(toSnapshot(two, 'STATIC'));
  expect(await nacked).toMatchObject({
    typeUrl: TYPE_URLS.cluster,
    rejection: { resources: [{ name: 'greeter' }] },
  });
  expect(await greet()).toBe('two');
});
