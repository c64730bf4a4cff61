// What a change of a linear cache costs, counted and never timed: what is hashed, sorted, copied or
// stepped, with so many resources and streams, and with twice as many.
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  createLinearCache,
  createResource,
  createResourceSet,
  TYPE_URLS,
} from '../../src/xds/index.js';
import { FakeStream } from './cache-stream.js';

type Stream = FakeStream;
const { endpoint } = TYPE_URLS;

const toResource = (i: number, content: string) =>
  createResource({ name: `name-${i}`, value: Buffer.from(content) });

function fill(resources: number) {
  const cache = createLinearCache<Stream>();
  cache.update(endpoint, {
    set: Array.from({ length: resources }, (_, i) => toResource(i, 'first')),
  });
  return cache;
}

/** What a set of one resource costs, by the operations that grow with a whole type. */
function costOf(change: () => void): Readonly<Record<string, number>> {
  const sorts = vi.spyOn(Array.prototype, 'sort');
  const puts = vi.spyOn(Map.prototype, 'set');
  const hashes = [vi.spyOn(crypto, 'hash'), vi.spyOn(crypto, 'createHash')];
  // Whoever imported the functions by name calls the spies too.
  syncBuiltinESMExports();
  change();
  const sorted = sorts.mock.contexts.map((list) => (list as unknown[]).length);
  const cost = {
    hashed: hashes.reduce((sum, { mock }) => sum + mock.calls.length, 0),
    sorted: Math.max(0, ...sorted),
    put: puts.mock.calls.length,
  };
  for (const spy of [sorts, puts, ...hashes]) spy.mockRestore();
  syncBuiltinESMExports();
  return cost;
}

describe('set', () => {
  const SIZES = [1_000, 2_000] as const;

  test.each(['none', 'one by name', 'a wildcard'] as const)(
    'of one resource does not hash, sort or copy the whole type; streams: %s',
    (streams) => {
      const costs = SIZES.map((size) => {
        const cache = fill(size);
        if (streams !== 'none') {
          const stream = new FakeStream('a', 'delta');
          cache.hooks.onConnect(stream);
          stream.ask(cache.hooks, endpoint, [streams === 'a wildcard' ? '*' : 'name-7']);
        }
        cache.set(endpoint, toResource(7, 'second'));
        return costOf(() => cache.set(endpoint, toResource(7, 'third')));
      });
      expect(costs[0]).toEqual(costs[1]);
      // Its content, and its part of the version; what was before is known.
      expect(costs[0]?.['hashed']).toBe(2);
      expect(costs[0]?.['sorted']).toBeLessThan(2);
      expect(costs[0]?.['put']).toBeLessThan(30);
    },
  );

  test('gives the version that a whole set of the same content has', () => {
    const cache = fill(50);
    cache.set(endpoint, toResource(3, 'second'));
    cache.delete(endpoint, 'name-4');
    cache.set(endpoint, toResource(99, 'new'));
    const now = cache.snapshot().get(endpoint);
    const whole = createResourceSet([...(now?.resources.values() ?? [])].reverse());
    expect(now?.version).toBe(whole.version);
    expect(now?.claimBytes).toBe(whole.claimBytes);
    expect(now?.resources.size).toBe(50);
  });

  test('keeps the least TTL as resources come and go', () => {
    const cache = createLinearCache<Stream>();
    const withTtl = (name: string, ttlMs?: number) =>
      createResource({ name, value: Buffer.from(name), ttlMs });
    const least = () => cache.snapshot().get(endpoint)?.shortestTtlMs;
    cache.update(endpoint, { set: [withTtl('a', 3_000), withTtl('b', 9_000), withTtl('c')] });
    expect(least()).toBe(3_000);
    cache.set(endpoint, withTtl('a', 12_000));
    expect(least()).toBe(9_000);
    cache.update(endpoint, { delete: ['a', 'b'] });
    expect(least()).toBeUndefined();
  });
});

describe('a change of one name', () => {
  const steps = { taken: 0 };
  class CountedStream extends FakeStream {
    override setSnapshot(...args: Parameters<Stream['setSnapshot']>): void {
      steps.taken += 1;
      super.setSnapshot(...args);
    }
  }

  test.each(['sotw', 'delta'] as const)(
    '%s: reaches who asks for it, and of others two at a time',
    (variant) => {
      const reached = [100, 200].map((size) => {
        const cache = fill(size);
        const streams = Array.from({ length: size }, (_, i) => {
          const stream = new CountedStream(`${i}`, variant);
          cache.hooks.onConnect(stream);
          stream.ask(cache.hooks, endpoint, [`name-${i}`]);
          return stream;
        });
        steps.taken = 0;
        cache.set(endpoint, toResource(7, 'second'));
        expect(streams.map(({ heard }) => heard.length).filter((n) => n === 2)).toEqual([2]);
        expect(streams[7]?.heard.at(-1)?.[0]).toMatch(/^name-7@/);
        return steps.taken;
      });
      expect(reached).toEqual([3, 3]);
    },
  );
});

test('a stream that was passed over gets the newest of what it asks for next', () => {
  const cache = fill(100);
  const streams = Array.from({ length: 50 }, () => {
    const stream = new FakeStream('a', 'delta');
    cache.hooks.onConnect(stream);
    stream.ask(cache.hooks, endpoint, ['name-1']);
    return stream;
  });
  const newest = toResource(2, 'second');
  cache.set(endpoint, newest);
  const last = streams.at(-1);
  last?.ask(cache.hooks, endpoint, ['name-1', 'name-2']);
  expect(last?.heard.at(-1)).toEqual([`name-2@${newest.version}`]);
});

test('nobody keeps an old snapshot for long: each change brings two up to date', () => {
  const cache = fill(100);
  const given = new Map<string, unknown>();
  class Keeping extends FakeStream {
    override setSnapshot(snapshot: Parameters<Stream['setSnapshot']>[0]): void {
      given.set(this.node.id, snapshot);
      super.setSnapshot(snapshot);
    }
  }
  for (let i = 0; i < 20; i++) {
    const stream = new Keeping(`${i}`, 'sotw');
    cache.hooks.onConnect(stream);
    stream.ask(cache.hooks, endpoint, ['name-1']);
  }
  const old = cache.snapshot();
  for (let i = 0; i < 10; i++) cache.set(endpoint, toResource(50, `${i}`));
  expect([...given.values()].filter((snapshot) => snapshot === old)).toEqual([]);
});

afterEach(() => vi.restoreAllMocks());
