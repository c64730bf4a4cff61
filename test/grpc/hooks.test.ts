// Several listeners of one discovery, limits given in part, and streams that end with any status.
import { ChannelCredentials, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import {
  attachDiscovery,
  createSnapshotCache,
  DEFAULT_DISCOVERY_LIMITS,
  type DiscoveryHooks,
  type DiscoveryLimits,
  type DiscoveryStream,
  mergeHooks,
  StatusError,
  serverOptions,
  toStatus,
} from '../../src/grpc/library.js';
import { createSession, type Request, TYPE_URLS } from '../../src/xds/index.js';
import { toSnapshot } from '../xds/script.js';
import { AdsClient } from './ads-client.js';
import { startAdsServer } from './ads-server.js';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});
const CDS: Request = {
  typeUrl: TYPE_URLS.cluster,
  nonce: '',
  interest: { variant: 'sotw', names: [], versionInfo: '' },
};

async function connect<A>(options: Parameters<typeof startAdsServer<A>>[0]) {
  const { address, stop, discovery } = await startAdsServer<A>(options);
  const credentials = ChannelCredentials.createInsecure();
  const client = new AdsClient({ address, variant: 'sotw', credentials });
  cleanups.push(stop, () => client.close());
  client.send(CDS);
  return { client, discovery };
}

describe('several hooks', () => {
  const told: string[] = [];
  const listener = (name: string): DiscoveryHooks<string> => ({
    onConnect: () => void told.push(`${name} connect`),
    onRequest: () => void told.push(`${name} request`),
    onUpdate: () => void told.push(`${name} update`),
  });

  test.each(['a list', 'mergeHooks'] as const)(
    '%s: a cache serves, though the program listens to onUpdate too',
    async (how) => {
      told.length = 0;
      const cache = createSnapshotCache({ groupOf: () => 'all' });
      cache.set('all', toSnapshot(['cds:a@1']));
      const all = [listener('one'), cache.hooks, listener('two')];
      const hooks = how === 'a list' ? all : mergeHooks(...all);
      const { client, discovery } = await connect<string>({
        authenticate: ({ node }) => node.id,
        hooks,
      });
      expect((await client.next())?.resources).toEqual(['a@1']);
      expect(told).toEqual(
        ['connect', 'request', 'update'].flatMap((what) => [`one ${what}`, `two ${what}`]),
      );
      expect(cache.streams('all')).toEqual(discovery.streams());
    },
  );

  const stream = {} as DiscoveryStream<string>;
  const failing = (error: unknown): DiscoveryHooks<string> => ({
    onConnect() {
      throw error;
    },
    onUpdate: () => Promise.reject(error) as unknown as undefined,
  });

  test('one that fails keeps no other from being called, and its failure is not lost', async () => {
    told.length = 0;
    const error = new Error('first');
    const hooks = mergeHooks(failing(error), undefined, failing('second'), listener('last'));
    expect(() => hooks.onConnect?.(stream)).toThrow(error);
    const update = { kind: 'request', typeUrl: '' } as const;
    const later: unknown = hooks.onUpdate?.(stream, update);
    await expect(later).rejects.toBe(error);
    expect(told).toEqual(['last connect', 'last update']);
  });
});

describe('any gRPC status', () => {
  test.each([
    ['PERMISSION_DENIED', status.PERMISSION_DENIED],
    ['UNAVAILABLE', status.UNAVAILABLE],
    ['NOT_FOUND', status.NOT_FOUND],
  ] as const)('authenticate refuses a stream with %s', async (_name, code) => {
    const { client } = await connect({
      authenticate() {
        throw new StatusError(code, 'not here');
      },
    });
    expect(await client.ended()).toEqual({ code, details: 'not here' });
  });

  test('close ends a stream with it', async () => {
    const { client } = await connect<string>({
      authenticate: ({ node }) => node.id,
      hooks: { onConnect: (stream) => stream.close(new StatusError(status.ABORTED, 'moved')) },
    });
    expect(await client.ended()).toEqual({ code: status.ABORTED, details: 'moved' });
  });

  test('OK and numbers that are none are a defect of the caller', () => {
    expect(() => new StatusError(status.OK, '')).toThrow(/got 0$/);
    expect(() => new StatusError(99 as status, '')).toThrow(/got 99$/);
    expect(toStatus(new MeshError('revoked', 'gone')).code).toBe(status.PERMISSION_DENIED);
  });
});

describe('limits given in part', () => {
  test('serverOptions keeps the rest: keepalive, streams', () => {
    const { maxRequestBytes: _, ...rest } = DEFAULT_DISCOVERY_LIMITS;
    expect(rest.keepaliveTimeMs).toBeGreaterThan(0);
    expect(serverOptions({ maxRequestBytes: 1_000 })).toEqual({
      ...serverOptions(),
      'grpc.max_receive_message_length': 1_000,
    });
  });

  const refused: readonly (readonly [string, Partial<DiscoveryLimits>, string])[] = [
    ['a name that is none', { maxNanes: 1 } as object, 'no limit is called "maxNanes"'],
    ['a number that is none', { maxNames: Number.NaN }, 'limits.maxNames to be 0 or more'],
    ['less than nothing', { keepaliveTimeMs: -1 }, 'limits.keepaliveTimeMs to be 0 or more'],
  ];
  test.each(refused)('%s is refused, by one rule', (_name, limits, message) => {
    const registry = { addService: () => undefined };
    const attach = () => attachDiscovery(registry, { authenticate: () => '', limits });
    expect(attach).toThrow(message);
    expect(() => serverOptions(limits)).toThrow(message);
  });

  test('a session takes some, or none', () => {
    expect(createSession('delta', { maxNames: 5 }).limits).toEqual({
      ...createSession('delta').limits,
      maxNames: 5,
    });
  });
});
