// TTLs on a stock Envoy: while the server is there, heartbeats keep what has a TTL; once it is
// gone, so is that. The resources come from a linear cache.
import { Server } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { envoy as api } from '../../src/gen/envoy.js';
import { countersign } from '../../src/gen/wire.js';
import {
  attachDiscovery,
  type DiscoveryStream,
  serverOptions,
  shutdown,
} from '../../src/grpc/index.js';
import { createLinearCache, createResource, TYPE_URLS } from '../../src/xds/index.js';
import { listen } from '../grpc/ads-server.js';
import { describeEnvoy, eventually, plainGet, useHarness } from '../harness/index.js';

const RUNTIME = 'type.googleapis.com/envoy.service.runtime.v3.Runtime';
const TTL_MS = 1_500;
/** Beats come every half second: so many last for more than two TTLs. */
const BEATS = 8;

/** envoy.service.runtime.v3.Runtime: name = 1, layer = 2. */
function toRuntime(name: string, key: string, value: string): Buffer {
  const layer = countersign.wire.Struct.encode({ fields: { [key]: { stringValue: value } } });
  const field = (tag: number, bytes: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from([(tag << 3) | 2, bytes.length]), bytes]);
  return Buffer.concat([field(1, Buffer.from(name)), field(2, layer.finish())]);
}

interface Place {
  readonly address: string;
  readonly port: number;
}

function toBootstrap(delta: boolean, admin: Place, port: number): object {
  const at = (place: Place) => ({
    socket_address: { address: place.address, port_value: place.port },
  });
  const ads = { resource_api_version: 'V3', ads: {} };
  const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const lbEndpoints = [{ endpoint: { address: at({ address: '127.0.0.1', port }) } }];
  return {
    node: { id: 'envoy-1', cluster: 'test' },
    admin: { address: at(admin) },
    dynamic_resources: {
      ads_config: {
        api_type: delta ? 'DELTA_GRPC' : 'GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
      },
      cds_config: ads,
    },
    layered_runtime: {
      layers: [{ name: 'rtds', rtds_layer: { name: 'layer', rtds_config: ads } }],
    },
    static_resources: {
      clusters: [
        {
          name: 'xds',
          load_assignment: { cluster_name: 'xds', endpoints: [{ lb_endpoints: lbEndpoints }] },
          typed_extension_protocol_options: {
            [options]: {
              '@type': `type.googleapis.com/${options}`,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
        },
      ],
    },
  };
}

for (const version of ['1.40.0', '1.36.2']) {
  await describeEnvoy('TTL', { version }, ({ binary }) => {
    const harness = useHarness(`ttl ${version}`);

    test.concurrent.each(['sotw', 'delta'] as const)(
      '%s: kept by heartbeats, gone without',
      async (variant) => {
        const cache = createLinearCache<DiscoveryStream<string>>();
        const acks = new Map<string, number>();
        const nacks: string[] = [];
        const server = new Server(serverOptions());
        const discovery = attachDiscovery(server, {
          authenticate: ({ node }) => node.id,
          hooks: {
            ...cache.hooks,
            onUpdate(stream, update) {
              cache.hooks.onUpdate(stream, update);
              const { typeUrl } = update;
              if (update.kind === 'acked') acks.set(typeUrl, (acks.get(typeUrl) ?? 0) + 1);
              if (update.kind === 'nacked') nacks.push(update.rejection.message);
            },
          },
        });
        const addresses = [await listen(server)];
        const stop = () => shutdown({ server, addresses, discovery, graceMs: 1_000 });
        harness.defer('xDS server', stop);
        const { Cluster } = api.config.cluster.v3;
        const cluster = Cluster.encode({ name: 'late' }).finish();
        const ttlMs = TTL_MS;
        cache.set(TYPE_URLS.cluster, createResource({ name: 'late', value: cluster, ttlMs }));
        const value = toRuntime('layer', 'fault', 'on');
        cache.set(RUNTIME, createResource({ name: 'layer', value, ttlMs }));

        const port = Number(addresses[0]?.split(':')[1]);
        const pool = await harness.addresses();
        const address = pool.address();
        const admin = { address, port: await pool.port(address) };
        const bootstrap = toBootstrap(variant === 'delta', admin, port);
        const envoy = await harness.envoy({ binary, name: `${variant}-${version}`, bootstrap });
        await envoy.waitReady();
        const sees = async (): Promise<string> => {
          const runtime = await plainGet({ ...admin, path: '/runtime' });
          const clusters = await plainGet({ ...admin, path: '/clusters' });
          return `${runtime.body.includes('fault')} ${clusters.body.includes('late::')}`;
        };
        await eventually(async () => (await sees()) === 'true true', { what: 'the resources' });

        // 1. Heartbeats keep both; the cluster was never taken away in between.
        const enough = (typeUrl: string): boolean => (acks.get(typeUrl) ?? 0) >= BEATS;
        await eventually(() => enough(RUNTIME) && enough(TYPE_URLS.cluster), {
          what: 'heartbeats',
        });
        expect(await sees()).toBe('true true');
        expect(nacks).toEqual([]);
        const { body } = await plainGet({ ...admin, path: '/stats?filter=cluster_removed' });
        expect(body).toMatch(/cluster_manager\.cluster_removed: 0/);

        // 2. Without a server they end.
        await stop();
        await eventually(async () => (await sees()) === 'false false', { what: 'the end' });
        await envoy.stop();
      },
    );
  });
}
