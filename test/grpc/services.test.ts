import { ChannelCredentials, status } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import {
  ALL_SERVICES,
  type DiscoveryStream,
  type Peer,
  TYPE_SERVICES,
} from '../../src/grpc/index.js';
import { createResource, createSnapshot, type Request, type Variant } from '../../src/xds/index.js';
import { AdsClient, type AdsClientOptions } from './ads-client.js';
import { startAdsServer } from './ads-server.js';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const resource = createResource({ name: 'a', version: '1', value: Buffer.from('a@1') });

async function start(): Promise<{ address: string; streams: DiscoveryStream<Peer>[] }> {
  const streams: DiscoveryStream<Peer>[] = [];
  const started = await startAdsServer<Peer>({
    authenticate: (peer) => peer,
    hooks: {
      onConnect(stream) {
        streams.push(stream);
        const typeUrl = stream.typeUrl ?? 'none';
        stream.setSnapshot(createSnapshot([[typeUrl, [resource]]]));
      },
    },
  });
  cleanups.push(() => started.stop());
  return { address: started.address, streams };
}

function connect(options: Omit<AdsClientOptions, 'credentials'>): AdsClient {
  const client = new AdsClient({ credentials: ChannelCredentials.createInsecure(), ...options });
  cleanups.push(() => client.close());
  return client;
}

/** Asks for `a` and leaves the type URL out. */
function ask(variant: Variant): Request {
  const interest: Request['interest'] =
    variant === 'sotw'
      ? { variant, names: ['a'], versionInfo: '' }
      : { variant, subscribe: ['a'], unsubscribe: [], initialVersions: new Map() };
  return { typeUrl: '', nonce: '', interest };
}

const methods = TYPE_SERVICES.flatMap(({ name, typeUrl, methods: byVariant }) =>
  Object.entries(byVariant).map(([variant, method]) => ({
    path: `/${name}/${method}`,
    typeUrl: typeUrl ?? '',
    variant: variant as Variant,
  })),
);

test('there are services, each with a name of its own', () => {
  expect(methods.length).toBe(18);
  expect(new Set(ALL_SERVICES.map(({ name }) => name)).size).toBe(ALL_SERVICES.length);
});

test.each(methods)('$path serves its type', async ({ path, typeUrl, variant }) => {
  const { address, streams } = await start();
  const client = connect({ address, variant, path });
  client.send(ask(variant));
  expect(await client.next()).toEqual({ typeUrl, nonce: '1', resources: ['a@1'], removed: [] });
  expect(streams.map((stream) => [stream.typeUrl, stream.auth.typeUrl, stream.variant])).toEqual([
    [typeUrl, typeUrl, variant],
  ]);
});

test.each([
  '/envoy.service.cluster.v3.ClusterDiscoveryService/FetchClusters',
  '/envoy.service.route.v3.VirtualHostDiscoveryService/StreamVirtualHosts',
])('%s is not served', async (path) => {
  const { address, streams } = await start();
  const client = connect({ address, variant: 'sotw', path });
  client.send(ask('sotw'));
  expect((await client.ended()).code).toBe(status.UNIMPLEMENTED);
  expect(streams).toEqual([]);
});
