// Versions that the caller gives, as a client reads them on each of the four transports.
import { afterEach, expect, test } from 'vitest';
import { countersign } from '../../src/gen/wire.js';
import type { DiscoveryStream } from '../../src/grpc/index.js';
import {
  createLinearCache,
  createResource,
  createSnapshot,
  createSnapshotCache,
  type Request,
  TYPE_URLS,
  type Variant,
} from '../../src/xds/index.js';
import { encodeRequest, NODE, toPath } from './ads-client.js';
import { startAdsServer } from './ads-server.js';
import { RawClient } from './raw-client.js';

const { wire } = countersign;
const { endpoint } = TYPE_URLS;
const WRAPPER = 'type.googleapis.com/envoy.service.discovery.v3.Resource';
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

interface Versions {
  readonly type: string | undefined;
  /** By resource; SotW says one only where it wraps the resource, for its TTL. */
  readonly resources: readonly (string | undefined)[];
}

function toVersions(variant: Variant, bytes: Buffer): Versions {
  if (variant === 'delta') {
    const { systemVersionInfo, resources } = wire.DeltaDiscoveryResponse.decode(bytes);
    return { type: systemVersionInfo, resources: (resources ?? []).map(({ version }) => version) };
  }
  const { versionInfo, resources } = wire.DiscoveryResponse.decode(bytes);
  const wrapped = (resources ?? []).map(({ typeUrl, value }) =>
    typeUrl === WRAPPER ? wire.Resource.decode(value ?? Buffer.alloc(0)).version : undefined,
  );
  return { type: versionInfo, resources: wrapped };
}

function ask(variant: Variant): Request {
  const interest: Request['interest'] =
    variant === 'sotw'
      ? { variant, names: ['a', 'b'], versionInfo: '' }
      : { variant, subscribe: ['a', 'b'], unsubscribe: [], initialVersions: new Map() };
  return { typeUrl: endpoint, nonce: '', interest };
}

const [A, B] = [
  createResource({ name: 'a', value: Buffer.from('a'), version: 'a-7' }),
  createResource({ name: 'b', value: Buffer.from('b'), version: 'b-9', ttlMs: 60_000 }),
];

const CACHES = {
  'snapshot cache': () => {
    const cache = createSnapshotCache<DiscoveryStream<string>>({ groupOf: ({ auth }) => auth });
    cache.set(NODE.id ?? '', createSnapshot([[endpoint, [A, B], 'all-3']]));
    return cache.hooks;
  },
  'linear cache': () => {
    const cache = createLinearCache<DiscoveryStream<string>>();
    cache.update(endpoint, { set: [A, B], version: 'all-3' });
    return cache.hooks;
  },
};

const rows = Object.entries(CACHES).flatMap(([cache, hooksOf]) =>
  (['sotw', 'delta'] as const).flatMap((variant) =>
    [undefined, endpoint].map((only) => ({
      ...{ cache, hooksOf, variant, only },
      transport: only === undefined ? 'ADS' : 'EDS',
    })),
  ),
);

test.each(rows)('$cache, $variant $transport', async ({ hooksOf, variant, only }) => {
  const { address, stop } = await startAdsServer<string>({
    authenticate: ({ node }) => node.id,
    hooks: hooksOf(),
  });
  const client = new RawClient(address);
  cleanups.push(() => client.close(), stop);
  const call = client.call({ path: toPath(variant, only) });
  call.send(encodeRequest(ask(variant), NODE));
  const resources = variant === 'delta' ? ['a-7', 'b-9'] : [undefined, 'b-9'];
  expect(toVersions(variant, await call.message())).toEqual({ type: 'all-3', resources });
});
