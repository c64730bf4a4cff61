// A client that is given more than it could name when it comes back works until its connection
// breaks, and is then refused for ever: that is refused where it begins.
import { describe, expect, test } from 'vitest';
import { countersign } from '../../src/gen/wire.js';
import {
  createLinearCache,
  createResource,
  createSnapshot,
  createSnapshotCache,
  DEFAULT_SESSION_LIMITS,
  decodeRequest,
  type Effect,
  type Resource,
  TYPE_URLS,
  type Variant,
} from '../../src/xds/index.js';
import { FakeStream } from './cache-stream.js';
import { runSession } from './running-session.js';

const { cluster, endpoint } = TYPE_URLS;
const { wire } = countersign;
const list = (count: number, prefix = 'cluster'): readonly Resource[] =>
  Array.from({ length: count }, (_, i) =>
    createResource({ name: `${prefix}-${`${i}`.padStart(4, '0')}`, value: Buffer.from(`${i}`) }),
  );
const node = { id: 'n', cluster: 'x'.repeat(500) };

/** The first request of a delta client that comes back with those. */
function toFirst(held: readonly Resource[], names: readonly string[] = []): Buffer {
  const claims = held.map(({ name, version }) => [name, version] as const);
  const fields = { initialResourceVersions: Object.fromEntries(claims) };
  const asked = { typeUrl: cluster, node, resourceNamesSubscribe: names };
  return Buffer.from(wire.DeltaDiscoveryRequest.encode({ ...asked, ...fields }).finish());
}

function open(variant: Variant, maxRequestBytes: number, maxNames = 100) {
  const limits = { ...DEFAULT_SESSION_LIMITS, maxRequestBytes, maxNames };
  const session = runSession(variant, { limits });
  const send = (bytes: Buffer): readonly Effect[] => {
    const { request } = decodeRequest(bytes, { variant, limits, withNode: true });
    return session.feed({ kind: 'request', request });
  };
  return { session, send };
}

const kinds = (effects: readonly Effect[]): readonly string[] => effects.map(({ kind }) => kind);
const failures = (effects: readonly Effect[]): readonly string[] =>
  effects.flatMap((effect) => (effect.kind === 'fail' ? effect.error.code : []));

test('more resources than maxNames: the client comes back, and nothing is sent again', () => {
  const resources = list(150);
  const { session, send } = open('delta', 1_000_000, 100);
  session.feed({ kind: 'snapshot', snapshot: createSnapshot([[cluster, resources]]) });
  expect(kinds(send(toFirst(resources)))).not.toContain('send');
  expect(session.now.ended).toBe(false);
});

describe('just as much as a first request can name', () => {
  const resources = list(150);
  const bytes = toFirst(resources).length;
  const snapshot = createSnapshot([[cluster, resources]]);

  test('is served, and comes back in a request of that size', () => {
    const { session, send } = open('delta', bytes);
    session.feed({ kind: 'snapshot', snapshot });
    expect(failures(send(toFirst([])))).toEqual([]);
    const again = open('delta', bytes);
    again.session.feed({ kind: 'snapshot', snapshot });
    expect(kinds(again.send(toFirst(resources)))).not.toContain('send');
    expect(again.session.now.ended).toBe(false);
  });

  test('a byte less: the first request is refused, not the one after a reconnect', () => {
    const { session, send } = open('delta', bytes - 1);
    session.feed({ kind: 'snapshot', snapshot });
    expect(failures(send(toFirst([])))).toEqual(['resource-limit']);
  });

  test('SotW names nothing that it holds by wildcard: no limit', () => {
    const { session, send } = open('sotw', 1_000);
    session.feed({ kind: 'snapshot', snapshot });
    const first = wire.DiscoveryRequest.encode({ typeUrl: cluster, node }).finish();
    expect(failures(send(Buffer.from(first)))).toEqual([]);
  });
});

test.each(['sotw', 'delta'] as const)(
  '%s: names asked for one by one are refused when they no longer fit beside the node',
  (variant) => {
    const limits = { ...DEFAULT_SESSION_LIMITS, maxRequestBytes: 2_000 };
    const session = runSession(variant, { limits });
    const encode = (names: readonly string[], first: boolean): Buffer => {
      const common = { typeUrl: endpoint, ...(first && { node }) };
      const writer =
        variant === 'sotw'
          ? wire.DiscoveryRequest.encode({ ...common, resourceNames: names })
          : wire.DeltaDiscoveryRequest.encode({
              ...common,
              resourceNamesSubscribe: names.slice(-1),
            });
      return Buffer.from(writer.finish());
    };
    const names: string[] = [];
    const ask = (name: string): readonly string[] => {
      names.push(name);
      const bytes = encode(names, names.length === 1);
      const options = { variant, limits, withNode: names.length === 1 };
      const { request } = decodeRequest(bytes, options);
      return failures(session.feed({ kind: 'request', request }));
    };
    let failed: readonly string[] = [];
    while (failed.length === 0 && names.length < 100)
      failed = ask(`${'long'.repeat(20)}-${names.length}`);
    expect(failed).toEqual(['resource-limit']);
    // All but the last fit into a first request, and with the last it would be too long.
    const all = { typeUrl: endpoint, node, resourceNames: names };
    const fits = { ...all, resourceNames: names.slice(0, -1) };
    expect(wire.DiscoveryRequest.encode(fits).finish().length).toBeLessThanOrEqual(2_000);
    expect(wire.DiscoveryRequest.encode(all).finish().length).toBeGreaterThan(2_000);
  },
);

describe('set refuses what a connected client could not come back with', () => {
  const limits = { maxRequestBytes: 2_000 };
  const few = list(10);
  const many = list(100);

  test('snapshot cache: it throws, and changes nothing', () => {
    const cache = createSnapshotCache<FakeStream>({ groupOf: () => 'all' });
    const stream = new FakeStream('n', 'delta', limits);
    cache.hooks.onConnect(stream);
    stream.ask(cache.hooks, cluster, []);
    const small = createSnapshot([[cluster, few]]);
    cache.set('all', small);
    const set = () => cache.set('all', createSnapshot([[cluster, many]]));
    expect(set).toThrow(
      expect.objectContaining({
        code: 'resource-limit',
        message: expect.stringMatching(/first request of 2000 bytes but it takes 3\d{3}$/),
        hint: expect.stringContaining('maxRequestBytes'),
      }),
    );
    expect(cache.get('all')).toBe(small);
    expect(stream.heard).toHaveLength(1);
  });

  test.each([
    ['a wildcard', ['*']],
    ['names', many.map(({ name }) => name)],
    ['a part by name', many.slice(0, 20).map(({ name }) => name)],
  ] as const)('linear cache, a client that asks for %s', (what, names) => {
    const cache = createLinearCache<FakeStream>();
    cache.update(cluster, { set: few });
    const stream = new FakeStream('n', 'delta', { maxRequestBytes: 3_000 });
    cache.hooks.onConnect(stream);
    stream.ask(cache.hooks, cluster, names);
    const before = cache.snapshot();
    const update = () => cache.update(cluster, { set: many });
    if (what === 'a part by name') expect(update).not.toThrow();
    else {
      expect(update).toThrow(expect.objectContaining({ code: 'resource-limit' }));
      expect(cache.snapshot()).toBe(before);
    }
  });
});
