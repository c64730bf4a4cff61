// A client that comes back to a server that knows nothing of it yet: the same content has the same
// version there, so nothing is sent, and the versions that are in force are known all the same.
import { ChannelCredentials } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import type { DiscoveryStream } from '../../src/grpc/index.js';
import type { Interest, Variant } from '../../src/xds/index.js';
import { SHORT, toSnapshot } from '../xds/script.js';
import { AdsClient } from './ads-client.js';
import { startAdsServer } from './ads-server.js';
import { signal } from './signal.js';

const CDS = SHORT['cds'] ?? '';
const SNAPSHOT = toSnapshot(['cds:a@1,b@1', 'lds:l@1']);
const VERSION = SNAPSHOT.get(CDS)?.version ?? '';
const cleanups: (() => void)[] = [];
const MANY = Array.from({ length: 30 }, (_, i) => `many-${i}`);

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const interests: readonly (readonly [Variant, Interest])[] = [
  ['sotw', { variant: 'sotw', names: [], versionInfo: VERSION }],
  [
    'delta',
    {
      variant: 'delta',
      subscribe: [],
      unsubscribe: [],
      initialVersions: new Map([
        ['a', '1'],
        ['b', '1'],
      ]),
    },
  ],
];

test.each(interests)(
  '%s: status after a reconnect shows the versions in force, not a dash',
  async (variant, interest) => {
    const asked = signal();
    let stream: DiscoveryStream<string> | undefined;
    const { address, stop, written } = await startAdsServer({
      authenticate: ({ node }) => node.id,
      hooks: {
        onConnect(connected: DiscoveryStream<string>) {
          stream = connected;
          connected.setSnapshot(SNAPSHOT);
        },
        onUpdate: () => asked.happen(),
      },
    });
    cleanups.push(stop);
    const credentials = ChannelCredentials.createInsecure();
    const client = new AdsClient({ address, variant, credentials });
    cleanups.push(() => client.close());
    client.send({ typeUrl: CDS, nonce: '', interest });
    await asked.happened;
    expect(stream?.state().map(({ typeUrl, standing }) => [typeUrl, standing])).toEqual([
      [CDS, { state: 'synced', version: VERSION }],
    ]);
    expect(written()).toBe(0);
  },
);

test('delta: a client that has more than maxNames comes back, as often as it likes', async () => {
  const asked = { times: 0, again: signal() };
  const { address, stop, written } = await startAdsServer({
    authenticate: ({ node }) => node.id,
    limits: { maxNames: 10 },
    hooks: {
      onConnect: (stream) =>
        stream.setSnapshot(toSnapshot([`cds:${MANY.map((name) => `${name}@1`).join(',')}`])),
      onUpdate: () => {
        asked.times += 1;
        asked.again.happen();
      },
    },
  });
  cleanups.push(stop);
  const credentials = ChannelCredentials.createInsecure();
  const claims: Interest = {
    variant: 'delta',
    subscribe: [],
    unsubscribe: [],
    initialVersions: new Map(MANY.map((name) => [name, '1'])),
  };
  const first = new AdsClient({ address, variant: 'delta', credentials });
  first.send({ typeUrl: CDS, nonce: '', interest: { ...claims, initialVersions: new Map() } });
  expect((await first.next())?.resources).toHaveLength(MANY.length);
  first.close();
  asked.again = signal();
  const again = new AdsClient({ address, variant: 'delta', credentials });
  cleanups.push(() => again.close());
  again.send({ typeUrl: CDS, nonce: '', interest: claims });
  await asked.again.happened;
  expect([again.status, written()]).toEqual([undefined, 1]);
});
