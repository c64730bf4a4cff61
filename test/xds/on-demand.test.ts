// A linear cache that makes resources when somebody asks for them, and gives wildcards a part.
import { describe, expect, test } from 'vitest';
import { createLinearCache, type LinearCacheOptions, TYPE_URLS } from '../../src/xds/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { settle } from '../fakes/settle.js';
import { FakeStream } from './cache-stream.js';
import { toResource } from './script.js';

const { cluster, endpoint } = TYPE_URLS;

function setUp(options: LinearCacheOptions<FakeStream>, variant: 'sotw' | 'delta' = 'delta') {
  const clock = new ManualClock();
  const cache = createLinearCache<FakeStream>({ clock, ...options });
  const connect = (id = 'n'): FakeStream => {
    const stream = new FakeStream(id, variant);
    cache.hooks.onConnect(stream);
    return stream;
  };
  return { cache, clock, connect };
}

/** A promise and what settles it. */
function deferred() {
  let resolve = (): void => undefined;
  let reject = (_: Error): void => undefined;
  const promise = new Promise<void>((done, fail) => {
    resolve = done;
    reject = fail;
  });
  return { promise, resolve, reject };
}

describe('onDemand', () => {
  test('what it sets at once is the first answer: nothing was said to be gone', () => {
    const { cache, connect } = setUp({
      onDemand: ({ typeUrl, name }) => cache.set(typeUrl, toResource(`${name}@1`)),
    });
    const stream = connect();
    stream.ask(cache.hooks, cluster, ['late']);
    expect(stream.heard).toEqual([['late@1']]);
  });

  test('the answer waits for its promise', async () => {
    const made = deferred();
    const { cache, clock, connect } = setUp({ onDemand: () => made.promise });
    const [stream, other] = [connect(), connect()];
    stream.ask(cache.hooks, cluster, ['late']);
    other.ask(cache.hooks, cluster, ['late']);
    expect([...stream.heard, ...other.heard]).toEqual([]);
    cache.set(cluster, toResource('late@1'));
    made.resolve();
    await settle();
    expect([stream.heard, other.heard]).toEqual([[['late@1']], [['late@1']]]);
    expect(clock.pending).toBe(0);
  });

  test.each(['resolve', 'reject'] as const)(
    'a promise that %ss without a resource: the name is said to be gone, once',
    async (how) => {
      const made = deferred();
      const { cache, connect } = setUp({ onDemand: () => made.promise });
      const stream = connect();
      stream.ask(cache.hooks, cluster, ['late']);
      made[how](new Error('no such cluster'));
      await settle();
      expect(stream.heard).toEqual([['-late']]);
    },
  );

  test('no answer waits for longer than its time; what comes later is sent', async () => {
    const made = deferred();
    const { cache, clock, connect } = setUp({
      onDemand: () => made.promise,
      onDemandTimeoutMs: 1_000,
    });
    const stream = connect();
    stream.ask(cache.hooks, cluster, ['late']);
    clock.advance(999);
    expect(stream.heard).toEqual([]);
    clock.advance(1);
    expect(stream.heard).toEqual([['-late']]);
    cache.set(cluster, toResource('late@1'));
    made.resolve();
    await settle();
    expect(stream.heard).toEqual([['-late'], ['late@1']]);
  });
});

describe('onDemand, beside the first answer', () => {
  test('a failure goes to whoever calls the hook', async () => {
    const error = new Error('no database');
    const { cache, connect } = setUp({ onDemand: () => Promise.reject(error) });
    const interest = {
      variant: 'delta',
      subscribe: ['late'],
      unsubscribe: [],
      initialVersions: new Map<string, string>(),
    } as const;
    const request = { typeUrl: cluster, nonce: '', interest };
    const result: unknown = cache.hooks.onRequest(connect(), request);
    await expect(result).rejects.toBe(error);
  });

  test('a name is looked up again when its stream asks again, and not meanwhile', async () => {
    const told: string[] = [];
    let made = deferred();
    const { cache, connect } = setUp({
      onDemand: ({ name }) => {
        told.push(name);
        return made.promise;
      },
    });
    const stream = connect();
    stream.ask(cache.hooks, cluster, ['late']);
    stream.askAgain(cache.hooks, cluster, 'late');
    expect(told).toEqual(['late']);
    made.resolve();
    await settle();
    made = deferred();
    stream.askAgain(cache.hooks, cluster, 'late');
    expect(told).toEqual(['late', 'late']);
    cache.set(cluster, toResource('late@1'));
    made.resolve();
    await settle();
    expect(stream.heard).toEqual([['-late'], ['late@1']]);
  });

  test('a stream that goes leaves no timer behind', () => {
    const { cache, clock, connect } = setUp({ onDemand: () => deferred().promise });
    const stream = connect();
    stream.ask(cache.hooks, cluster, ['late']);
    expect(clock.pending).toBe(1);
    cache.hooks.onDisconnect(stream);
    expect(clock.pending).toBe(0);
  });
});

describe.each(['sotw', 'delta'] as const)('a wildcard of its own, %s', (variant) => {
  const isDelta = variant === 'delta';
  const wildcard = (stream: FakeStream, { name }: { name: string }): boolean =>
    name.startsWith(`${stream.node.id}-`);

  test('each client gets its part, as it changes, and all that it asks for by name', () => {
    const { cache, connect } = setUp({ wildcard }, variant);
    cache.update(cluster, { set: ['web-a@1', 'db-a@1', 'late@1'].map(toResource) });
    const [web, db] = [connect('web'), connect('db')];
    web.ask(cache.hooks, cluster, ['*']);
    db.ask(cache.hooks, cluster, ['*']);
    expect([web.heard, db.heard]).toEqual([[['web-a@1']], [['db-a@1']]]);
    cache.update(cluster, { set: ['web-a@2', 'web-b@1'].map(toResource) });
    expect(web.heard.at(-1)).toEqual(['web-a@2', 'web-b@1']);
    web.ask(cache.hooks, cluster, ['*', 'late']);
    expect(web.heard.at(-1)).toEqual(isDelta ? ['late@1'] : ['late@1', 'web-a@2', 'web-b@1']);
    cache.set(cluster, toResource('late@2'));
    expect(web.heard.at(-1)).toEqual(isDelta ? ['late@2'] : ['late@2', 'web-a@2', 'web-b@1']);
    cache.delete(cluster, 'web-a');
    expect(web.heard.at(-1)).toEqual(isDelta ? ['-web-a'] : ['late@2', 'web-b@1']);
    web.ask(cache.hooks, cluster, ['*']);
    expect(web.heard.at(-1)).toEqual(isDelta ? ['-late'] : ['web-b@1']);
    expect(db.heard).toHaveLength(1);
  });

  test('a type that it does not limit is whole; what is there is not asked about again', () => {
    const asked: string[] = [];
    const { cache, connect } = setUp(
      {
        wildcard: (_, { typeUrl, name }) => {
          asked.push(name);
          return typeUrl === cluster;
        },
      },
      variant,
    );
    cache.update(cluster, { set: ['a@1', 'b@1'].map(toResource) });
    cache.update(endpoint, { set: ['e@1'].map(toResource) });
    const stream = connect();
    stream.ask(cache.hooks, cluster, ['*']);
    stream.ask(cache.hooks, endpoint, ['*']);
    expect(stream.heard).toEqual([['a@1', 'b@1'], []]);
    asked.length = 0;
    cache.set(cluster, toResource('b@2'));
    expect(asked).toEqual(['b']);
  });
});
