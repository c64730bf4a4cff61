import { ChannelCredentials, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { MeshError, Watch } from '../../src/base/index.js';
import { countersign } from '../../src/gen/wire.js';
import {
  attachClientStatus,
  type Caller,
  type ClientStatusOptions,
  type DiscoveryStream,
} from '../../src/grpc/index.js';
import type { Request as DiscoveryRequest, Node } from '../../src/xds/index.js';
import type { ManualClock } from '../fakes/manual-clock.js';
import { SHORT, toSnapshot } from '../xds/script.js';
import { AdsClient, NODE } from './ads-client.js';
import { startAdsServer } from './ads-server.js';
import { RawClient } from './raw-client.js';

const { wire } = countersign;
type Request = countersign.wire.ClientStatusRequest;
type ClientConfig = countersign.wire.ClientConfig;
type Config = countersign.wire.ClientConfig.GenericXdsConfig;

const SERVICE = '/envoy.service.status.v3.ClientStatusDiscoveryService';
const FETCH = { path: `${SERVICE}/FetchClientStatus`, authorization: 'Bearer admin' };
const STREAM = { path: `${SERVICE}/StreamClientStatus`, authorization: 'Bearer admin' };
const [CDS, SDS] = [SHORT['cds'] ?? '', SHORT['sds'] ?? ''];

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function authorizeStatus({ authorization }: Caller): void {
  if (authorization === 'Bearer admin') return;
  throw new MeshError('token-missing', 'an admin token is needed');
}

interface Started {
  readonly address: string;
  readonly client: RawClient;
  readonly clock: ManualClock;
  readonly streams: readonly DiscoveryStream<string>[];
  /** Until the server has taken that many requests in all. */
  taken(count: number): Promise<void>;
}

async function start(options: Partial<ClientStatusOptions> = {}): Promise<Started> {
  const streams: DiscoveryStream<string>[] = [];
  const updates = new Watch(0);
  const { server, discovery, address, clock, stop } = await startAdsServer({
    authenticate: ({ node }) => node.id,
    hooks: {
      onConnect(stream) {
        streams.push(stream);
        stream.setSnapshot(toSnapshot(['cds:a@1,b@1', 'sds:s@1']));
      },
      onUpdate: () => updates.set(updates.value + 1),
    },
  });
  attachClientStatus(server, { discovery, authorizeStatus, ...options });
  const client = new RawClient(address);
  cleanups.push(() => client.close(), stop);
  const taken = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (updates.value >= count) resolve();
      };
      updates.onChange(check);
      check();
    });
  return { address, client, clock, streams, taken };
}

function connect(address: string, node: Partial<Node> = NODE): AdsClient {
  const credentials = ChannelCredentials.createInsecure();
  const client = new AdsClient({ address, variant: 'sotw', credentials });
  cleanups.push(() => client.close());
  client.send(toRequest(CDS), { node });
  return client;
}

function toRequest(
  typeUrl: string,
  { nonce = '', names = [], error }: { nonce?: string; names?: string[]; error?: string } = {},
): DiscoveryRequest {
  const interest = { variant: 'sotw', names, versionInfo: '' } as const;
  const request = { typeUrl, nonce, interest };
  return error === undefined ? request : { ...request, error: { code: 3, message: error } };
}

const encode = (request: Request): Uint8Array => wire.ClientStatusRequest.encode(request).finish();

async function fetch(client: RawClient, request: Request = {}): Promise<ClientConfig[]> {
  const bytes = await client.unary(encode(request), FETCH);
  return [...(wire.ClientStatusResponse.decode(bytes as Buffer).config ?? [])];
}

/** Decoding gives a Long where the package is there. */
const secondsOf = (time?: countersign.wire.Timestamp): number | undefined =>
  time ? Number(time.seconds) : undefined;

/** As a test writes it: what isn't set is left out, contents as text. */
function toPlain(config: Config): object {
  const text = (any?: countersign.wire.Any): string | undefined =>
    any?.value && Buffer.from(any.value).toString();
  const { errorState: error } = config;
  const plain = {
    name: config.name,
    version: config.versionInfo || undefined,
    content: text(config.xdsConfig),
    updated: secondsOf(config.lastUpdated),
    server: config.configStatus,
    client: config.clientStatus,
    error: error
      ? [
          error.details,
          error.versionInfo,
          text(error.failedConfiguration),
          secondsOf(error.lastUpdateAttempt),
        ]
      : undefined,
  };
  return Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== undefined));
}

const contentsOf = (configs: readonly ClientConfig[]): object[] =>
  (configs[0]?.genericXdsConfigs ?? []).map(toPlain);

const START = Date.UTC(2026, 0, 1) / 1_000;
const SYNCED = { server: 1, client: 3 };

describe('states', () => {
  test('requested, then acked with its time; contents, but never of a secret', async () => {
    const { address, client, clock, taken } = await start();
    const ads = connect(address);
    const first = await ads.next();
    expect(contentsOf(await fetch(client))).toEqual([
      { name: 'a', server: 3, client: 1 },
      { name: 'b', server: 3, client: 1 },
    ]);
    clock.advance(5_000);
    ads.send(toRequest(CDS, { nonce: first?.nonce ?? '' }));
    ads.send(toRequest(SDS, { names: ['s', 'missing'] }));
    ads.send(toRequest(SDS, { nonce: (await ads.next())?.nonce ?? '', names: ['s', 'missing'] }));
    await taken(4);
    expect(contentsOf(await fetch(client))).toEqual([
      { name: 'a', version: '1', content: 'a@1', updated: START + 5, ...SYNCED },
      { name: 'b', version: '1', content: 'b@1', updated: START + 5, ...SYNCED },
      { name: 'missing', server: 2, client: 2 },
      { name: 's', version: '1', updated: START + 5, ...SYNCED },
    ]);
    expect(contentsOf(await fetch(client, { excludeResourceContents: true }))).toContainEqual({
      ...{ name: 'a', version: '1', updated: START + 5 },
      ...SYNCED,
    });
  });

  test('rejected: the version in force, and what was rejected and why', async () => {
    const { address, client, clock, streams, taken } = await start();
    const ads = connect(address);
    ads.send(toRequest(CDS, { nonce: (await ads.next())?.nonce ?? '' }));
    await taken(2);
    streams[0]?.setSnapshot(toSnapshot(['cds:a@1,b@2']));
    const second = await ads.next();
    clock.advance(1_000);
    ads.send(toRequest(CDS, { nonce: second?.nonce ?? '', error: 'b is bad' }));
    await taken(3);
    expect(contentsOf(await fetch(client))).toEqual([
      { name: 'a', version: '1', content: 'a@1', updated: START, ...SYNCED },
      {
        ...{ name: 'b', version: '1', content: 'b@1', updated: START },
        ...{ server: 4, client: 4, error: ['b is bad', '2', 'b@2', START + 1] },
      },
    ]);
  });

  test('each resource has the time when its own content was taken', async () => {
    const { address, client, clock, streams, taken } = await start();
    const ads = connect(address);
    ads.send(toRequest(CDS, { nonce: (await ads.next())?.nonce ?? '' }));
    await taken(2);
    const updated = async (): Promise<object> => {
      const [config] = await fetch(client);
      const configs = config?.genericXdsConfigs ?? [];
      return Object.fromEntries(
        configs.map(({ name, lastUpdated }) => [name, (secondsOf(lastUpdated) ?? 0) - START]),
      );
    };
    const change = async (clusters: string, requests: number): Promise<void> => {
      clock.advance(1_000);
      streams[0]?.setSnapshot(toSnapshot([`cds:${clusters}`]));
      ads.send(toRequest(CDS, { nonce: (await ads.next())?.nonce ?? '' }));
      await taken(requests);
    };
    expect(await updated()).toEqual({ a: 0, b: 0 });
    await change('a@1,b@2', 3);
    expect(await updated()).toEqual({ a: 0, b: 1 });
    await change('a@1,b@2,c@1', 4);
    expect(await updated()).toEqual({ a: 0, b: 1, c: 2 });
    await change('a@1,c@1', 5);
    expect(await updated()).toEqual({ a: 0, c: 2 });
    await change('a@2,b@2,c@2', 6);
    expect(await updated()).toEqual({ a: 4, b: 4, c: 4 });
  });

  test('what is held from an earlier stream has no time', async () => {
    const { address, client, taken } = await start();
    const credentials = ChannelCredentials.createInsecure();
    const ads = new AdsClient({ address, variant: 'delta', credentials });
    cleanups.push(() => ads.close());
    const request = (nonce: string, held: Record<string, string>): DiscoveryRequest => {
      const initialVersions = new Map(Object.entries(held));
      const interest = { variant: 'delta', subscribe: [], unsubscribe: [] } as const;
      return { typeUrl: CDS, nonce, interest: { ...interest, initialVersions } };
    };
    ads.send(request('', { a: '1' }));
    const response = await ads.next();
    expect(response?.resources).toEqual(['b@1']);
    ads.send(request(response?.nonce ?? '', {}));
    await taken(2);
    expect(contentsOf(await fetch(client))).toEqual([
      { name: 'a', version: '1', content: 'a@1', ...SYNCED },
      { name: 'b', version: '1', content: 'b@1', updated: START, ...SYNCED },
    ]);
  });

  test('types that the host names are confidential too', async () => {
    const { address, client, taken } = await start({ confidentialTypes: [CDS] });
    const ads = connect(address);
    ads.send(toRequest(CDS, { nonce: (await ads.next())?.nonce ?? '' }));
    await taken(2);
    expect(contentsOf(await fetch(client))).toMatchObject([{ name: 'a' }, { name: 'b' }]);
    expect(JSON.stringify(contentsOf(await fetch(client)))).not.toContain('content');
  });
});

describe('who may ask, and how much', () => {
  test.each([undefined, 'Bearer other'])('%s: nothing is told', async (authorization) => {
    const { client } = await start();
    for (const { path } of [FETCH, STREAM]) {
      const call = client.call({ path, ...(authorization ? { authorization } : {}) });
      expect(await call.send(encode({})).end().next()).toEqual({
        code: status.UNAUTHENTICATED,
        details: 'an admin token is needed',
      });
    }
  });

  test('a stream answers each request in turn', async () => {
    const { address, client } = await start();
    await connect(address).next();
    const call = client.call(STREAM);
    call
      .send(encode({}))
      .send(encode({ nodeMatchers: [{ nodeId: { exact: 'none' } }] }))
      .end();
    const counts = [await call.message(), await call.message()].map(
      (bytes) => wire.ClientStatusResponse.decode(bytes).config?.length,
    );
    expect(counts).toEqual([1, 0]);
    expect((await call.ended()).code).toBe(status.OK);
  });

  test('more content than allowed is refused, less is not', async () => {
    const { address, client, taken } = await start({ maxContentBytes: 5 });
    const ads = connect(address);
    ads.send(toRequest(CDS, { nonce: (await ads.next())?.nonce ?? '' }));
    await taken(2);
    expect(await client.unary(encode({}), FETCH)).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
    expect((await fetch(client, { excludeResourceContents: true })).length).toBe(1);
  });

  test('other bytes are refused', async () => {
    const { client } = await start();
    const refused = await client.unary(Buffer.from([0xff]), FETCH);
    expect(refused).toMatchObject({ code: status.INVALID_ARGUMENT });
  });
});
