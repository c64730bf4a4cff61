// A failure of our own in the middle of a stream: it ends, so that the proxy comes back, and the
// log has the error in full. What it must never do is stay open and mute, or harm another stream.
import { ChannelCredentials, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import type { DiscoveryHooks, DiscoveryOptions, DiscoveryStream } from '../../src/grpc/index.js';
import {
  createSnapshotCache,
  type Request,
  type Resource,
  type ResourceSet,
  type Snapshot,
} from '../../src/xds/index.js';
import { SHORT, toSnapshot } from '../xds/script.js';
import { AdsClient } from './ads-client.js';
import { startAdsServer } from './ads-server.js';
import { signal } from './signal.js';

const CDS = SHORT['cds'] ?? '';
const INTERNAL = { code: status.INTERNAL, details: 'internal error' };
const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A server whose error log is kept, and clients of it. */
async function setUp(options: Partial<DiscoveryOptions<string>>) {
  const logged: object[] = [];
  const logger = {
    warn: (fields: object) => void logged.push(fields),
    error: (fields: object) => void logged.push(fields),
  };
  const authenticate = ({ node }: { node: { id: string } }): string => node.id;
  const server = await startAdsServer<string>({ authenticate, logger, ...options });
  cleanups.push(() => server.stop());
  const connect = (): AdsClient => {
    const credentials = ChannelCredentials.createInsecure();
    const client = new AdsClient({ address: server.address, variant: 'sotw', credentials });
    cleanups.push(() => client.close());
    return client;
  };
  return { ...server, logged, connect };
}

function cds(nonce = ''): Request {
  return { typeUrl: CDS, nonce, interest: { variant: 'sotw', names: [], versionInfo: '' } };
}

/** A snapshot that makes whoever reads it throw, while `broken` says so. */
class FragileSnapshot extends Map<string, ResourceSet> {
  broken = false;
  readonly error = new Error('a defect');

  constructor(snapshot: Snapshot, options: { readonly broken: boolean }) {
    super(snapshot);
    this.broken = options.broken;
  }

  override get(typeUrl: string): ResourceSet | undefined {
    if (this.broken) throw this.error;
    return super.get(typeUrl);
  }
}

describe('a step that throws', () => {
  test('as a request is taken: the stream ends, and the next one is served', async () => {
    const snapshot = new FragileSnapshot(toSnapshot(['cds:a@1']), { broken: true });
    const gone = signal();
    const { connect, logged, discovery } = await setUp({
      hooks: {
        onConnect: (stream) => stream.setSnapshot(snapshot),
        onDisconnect: () => gone.happen(),
      },
    });
    const client = connect();
    client.send(cds());
    expect(await client.ended()).toEqual(INTERNAL);
    await gone.happened;
    expect(logged).toEqual([{ stream: 1, peer: '127.0.0.1', err: snapshot.error }]);
    expect(discovery.streams()).toEqual([]);
    snapshot.broken = false;
    const again = connect();
    again.send(cds());
    expect((await again.next())?.resources).toEqual(['a@1']);
  });

  test('as a snapshot is set: its stream ends, and the others get theirs', async () => {
    const cache = createSnapshotCache<DiscoveryStream<string>>({ groupOf: () => 'all' });
    const { connect, logged } = await setUp({ hooks: cache.hooks });
    cache.set('all', toSnapshot(['cds:a@1']));
    const clients = [connect(), connect()] as const;
    for (const client of clients) {
      client.send(cds());
      expect((await client.next())?.resources).toEqual(['a@1']);
    }
    for (const client of clients) client.send(cds('1'));
    const fragile = new FragileSnapshot(toSnapshot(['cds:a@2']), { broken: true });
    // Only the stream that reads it first meets the error.
    const [first] = cache.streams('all');
    const set = first?.setSnapshot.bind(first);
    Object.assign(first ?? {}, {
      setSnapshot: (snapshot: Snapshot) => {
        set?.(snapshot);
        fragile.broken = false;
      },
    });
    cache.set('all', fragile);
    expect(await clients[0].ended()).toEqual(INTERNAL);
    expect((await clients[1].next())?.resources).toEqual(['a@2']);
    expect(logged).toEqual([{ stream: 1, peer: '127.0.0.1', err: fragile.error }]);
  });

  test('as a timer fires: the stream ends, and the timer does not throw', async () => {
    const snapshot = new FragileSnapshot(toSnapshot(['cds:a@1~15']), { broken: false });
    const acked = signal();
    const { connect, clock, logged } = await setUp({
      hooks: {
        onConnect: (stream) => stream.setSnapshot(snapshot),
        onUpdate: (_stream, { kind }) => {
          if (kind === 'acked') acked.happen();
        },
      },
    });
    const client = connect();
    client.send(cds());
    client.send(cds((await client.next())?.nonce));
    await acked.happened;
    snapshot.broken = true;
    clock.advance(5_000);
    expect(await client.ended()).toEqual(INTERNAL);
    expect(logged).toEqual([{ stream: 1, peer: '127.0.0.1', err: snapshot.error }]);
    expect(clock.pending).toBe(0);
  });

  test('inside a hook: the stream ends', async () => {
    const snapshot = new FragileSnapshot(toSnapshot(['cds:a@2']), { broken: true });
    const { connect, logged } = await setUp({
      hooks: {
        onConnect: (stream) => stream.setSnapshot(toSnapshot(['cds:a@1'])),
        onUpdate: (stream, { kind }) => {
          if (kind === 'acked') stream.setSnapshot(snapshot);
        },
      },
    });
    const client = connect();
    client.send(cds());
    client.send(cds((await client.next())?.nonce));
    expect(await client.ended()).toEqual(INTERNAL);
    expect(logged).toEqual([{ stream: 1, peer: '127.0.0.1', err: snapshot.error }]);
  });
});

test('an encoder that throws ends the stream', async () => {
  const error = new Error('no bytes');
  const bad: Resource = {
    name: 'a',
    version: '2',
    get value(): Uint8Array {
      throw error;
    },
  };
  const resources = new Map([['a', bad]]);
  const snapshot = new Map([[CDS, { resources, version: '2' }]]);
  const { connect, logged, discovery } = await setUp({
    hooks: { onConnect: (stream) => stream.setSnapshot(toSnapshot(['cds:a@1'])) },
  });
  const client = connect();
  client.send(cds());
  client.send(cds((await client.next())?.nonce));
  discovery.streams()[0]?.setSnapshot(snapshot);
  expect(await client.ended()).toEqual(INTERNAL);
  expect(logged).toEqual([{ stream: 1, peer: '127.0.0.1', err: error }]);
});

describe('a hook that fails', () => {
  const error = new Error('hook');
  const failures: Readonly<Record<string, NonNullable<DiscoveryHooks<string>['onConnect']>>> = {
    'at once': () => {
      throw error;
    },
    later: () => Promise.reject(error) as unknown as undefined,
  };
  test.each(Object.keys(failures))('onConnect, %s, without a snapshot: it ends', async (name) => {
    const { connect, logged } = await setUp({ hooks: { onConnect: failures[name] } as object });
    const client = connect();
    client.send(cds());
    expect(await client.ended()).toEqual(INTERNAL);
    expect(logged).toEqual([{ err: error, hook: 'onConnect' }]);
  });

  test.each(['onRequest', 'onResponse', 'onUpdate'] as const)(
    '%s, once: the stream goes on',
    async (name) => {
      let failed = false;
      const { connect, logged, discovery } = await setUp({
        hooks: {
          onConnect: (stream) => stream.setSnapshot(toSnapshot(['cds:a@1'])),
          [name]: () => {
            if (failed) return;
            failed = true;
            throw error;
          },
        },
      });
      const client = connect();
      client.send(cds());
      const first = await client.next();
      expect(first?.resources).toEqual(['a@1']);
      client.send(cds(first?.nonce));
      discovery.streams()[0]?.setSnapshot(toSnapshot(['cds:a@2']));
      expect((await client.next())?.resources).toEqual(['a@2']);
      expect(logged).toEqual([{ err: error, hook: name }]);
    },
  );

  test('after one has closed the stream, no other is called', async () => {
    const seen: string[] = [];
    const { connect } = await setUp({
      hooks: {
        onConnect: (stream) => stream.close(new MeshError('server-stopping', 'not now')),
        onRequest: () => void seen.push('request'),
        onUpdate: () => void seen.push('update'),
        onDisconnect: () => void seen.push('disconnect'),
      },
    });
    const client = connect();
    client.send(cds());
    expect((await client.ended()).code).toBe(status.UNAVAILABLE);
    expect(seen).toEqual(['disconnect']);
  });
});

test.each([
  ['a refusal is not logged', new MeshError('token-invalid', 'no'), 0],
  ['a failure of our own is', new Error('a defect'), 1],
])('authentication that ends after the stream has: %s', async (_name, error, count) => {
  const asked = signal();
  let reject: (error: Error) => void = () => undefined;
  const pending = new Promise<string>((_resolve, rejectIt) => {
    reject = rejectIt;
  });
  const { connect, logged, discovery } = await setUp({
    authenticate: () => {
      asked.happen();
      return pending;
    },
  });
  const client = connect();
  client.send(cds());
  await asked.happened;
  discovery.drain();
  expect((await client.ended()).code).toBe(status.UNAVAILABLE);
  reject(error);
  await pending.catch(() => undefined);
  await Promise.resolve();
  expect(logged).toHaveLength(count);
  expect(discovery.streams()).toEqual([]);
});
