import { describe, expect, test } from 'vitest';
import {
  createLinearCache,
  createResource,
  createSnapshot,
  createSnapshotCache,
  findDangling,
  type Resource,
  type ResourceRef,
  TYPE_URLS,
} from '../../src/xds/index.js';
import { FakeStream } from './cache-stream.js';
import { toResource } from './script.js';

const { cluster, endpoint, listener } = TYPE_URLS;
const list = (...texts: readonly string[]): readonly Resource[] => texts.map(toResource);
const clusters = (...texts: readonly string[]) => createSnapshot([[cluster, list(...texts)]]);

describe('snapshot cache', () => {
  const create = () =>
    createSnapshotCache<FakeStream>({ groupOf: ({ node }) => node.id.replace(/-.*/, '') });

  function connect(cache: ReturnType<typeof create>, id: string): FakeStream {
    const stream = new FakeStream(id, 'sotw');
    cache.hooks.onConnect(stream);
    stream.ask(cache.hooks, cluster, []);
    return stream;
  }

  test('streams of a group get its snapshot, before or after they connect, and no other', () => {
    const cache = create();
    cache.set('web', clusters('a@1'));
    const early = connect(cache, 'web-1');
    const other = connect(cache, 'db-1');
    cache.set('web', clusters('a@2'));
    const late = connect(cache, 'web-2');
    expect(early.heard).toEqual([['a@1'], ['a@2']]);
    expect(late.heard).toEqual([['a@2']]);
    expect(other.heard).toEqual([]);
    cache.set('db', clusters());
    expect(other.heard).toEqual([[]]);
    expect(cache.groups()).toEqual(['web', 'db']);
    expect(cache.streams('web')).toEqual([early, late]);
  });

  test('equal content is not sent again', () => {
    const cache = create();
    const stream = connect(cache, 'web-1');
    const make = () =>
      createSnapshot([[cluster, [createResource({ name: 'a', value: Buffer.from('x') })]]]);
    cache.set('web', make());
    cache.set('web', make());
    expect(stream.heard).toHaveLength(1);
  });

  test('a stream that has gone hears nothing; a cleared group keeps what it has', () => {
    const cache = create();
    const [gone, stays] = [connect(cache, 'web-1'), connect(cache, 'web-2')];
    cache.set('web', clusters('a@1'));
    cache.hooks.onDisconnect(gone);
    cache.clear('web');
    expect(cache.get('web')).toBeUndefined();
    const late = connect(cache, 'web-3');
    expect([gone, stays, late].map(({ heard }) => heard.length)).toEqual([1, 1, 0]);
    cache.set('web', clusters('a@2'));
    expect([gone, stays, late].map(({ heard }) => heard.length)).toEqual([1, 2, 1]);
    for (const stream of [stays, late]) cache.hooks.onDisconnect(stream);
    cache.hooks.onDisconnect(gone);
    expect(cache.streams('web')).toEqual([]);
  });

  test('versions that are given appear, also to a client that sees a part', () => {
    const cache = create();
    const stream = new FakeStream('web-1', 'sotw');
    cache.hooks.onConnect(stream);
    stream.ask(cache.hooks, endpoint, ['a']);
    cache.set('web', createSnapshot([[endpoint, list('a@1', 'b@1'), 'v7']]));
    cache.set('web', createSnapshot([[endpoint, list('a@1', 'b@2'), 'v8']]));
    cache.set('web', createSnapshot([[endpoint, list('a@3', 'b@2'), 'v9']]));
    expect(stream.heard).toEqual([['a@1'], ['a@3']]);
    expect(stream.versions).toEqual(['v7', 'v9']);
  });

  test('a snapshot with dangling references is refused and changes nothing', () => {
    const cache = create();
    const stream = connect(cache, 'web-1');
    cache.set('web', clusters('a@1'));
    const source = { file: 'mesh.yaml', line: 3, column: 5 };
    const references = [
      { typeUrl: cluster, name: 'a' },
      { typeUrl: cluster, name: 'gone' },
      { typeUrl: endpoint, name: 'a' },
    ];
    const value = Buffer.alloc(0);
    const bad = createSnapshot([
      [cluster, list('a@2')],
      [listener, [createResource({ name: 'l', value, references, source })]],
    ]);
    expect(findDangling(bad).map(({ to }) => to)).toEqual(references.slice(1));
    expect(() => cache.set('web', bad)).toThrow(
      expect.objectContaining({
        code: 'snapshot-dangling',
        message:
          'expected a snapshot without dangling references but got ' +
          'Listener "l" (mesh.yaml:3:5) → Cluster "gone"; ' +
          'Listener "l" (mesh.yaml:3:5) → ClusterLoadAssignment "a"',
      }),
    );
    expect(stream.heard).toEqual([['a@1']]);
    const lax = createSnapshotCache<FakeStream>({ groupOf: () => '', allowDangling: true });
    expect(() => lax.set('', bad)).not.toThrow();
  });

  test('of many dangling references ten are named', () => {
    const references = Array.from({ length: 12 }, (_, i) => ({ typeUrl: cluster, name: `${i}` }));
    const user = createResource({ name: 'l', value: Buffer.alloc(0), references });
    const set = () => create().set('web', createSnapshot([[listener, [user]]]));
    expect(set).toThrow(/"9"; and 2 more$/);
  });
});

describe.each(['sotw', 'delta'] as const)('linear cache, %s', (variant) => {
  function connect(cache: ReturnType<typeof createLinearCache<FakeStream>>): FakeStream {
    const stream = new FakeStream('n', variant);
    cache.hooks.onConnect(stream);
    return stream;
  }
  const isDelta = variant === 'delta';

  test('one resource at a time, to those who ask for it', () => {
    const cache = createLinearCache<FakeStream>();
    const [a, b] = [connect(cache), connect(cache)];
    cache.set(endpoint, toResource('a@1'));
    a.ask(cache.hooks, endpoint, ['a']);
    b.ask(cache.hooks, endpoint, ['b']);
    cache.set(endpoint, toResource('b@1'));
    cache.set(endpoint, toResource('b@1'));
    cache.set(endpoint, toResource('a@2'));
    cache.delete(endpoint, 'b');
    cache.delete(endpoint, 'b');
    expect(a.heard).toEqual([['a@1'], ['a@2']]);
    expect(b.heard).toEqual(isDelta ? [['-b'], ['b@1'], ['-b']] : [['b@1']]);
    expect(cache.get(endpoint, 'a')).toEqual(toResource('a@2'));
    expect(cache.get(endpoint, 'b')).toBeUndefined();
    expect([...cache.snapshot().keys()]).toEqual([endpoint]);
  });

  test('several changes are one response; a version that is given appears', () => {
    const cache = createLinearCache<FakeStream>();
    const changes: string[] = [];
    const cancel = cache.onChange((typeUrl) => changes.push(typeUrl));
    const stream = connect(cache);
    stream.ask(cache.hooks, cluster, []);
    cache.update(cluster, { set: list('a@1', 'b@1'), version: '1' });
    cache.update(cluster, { set: list('c@1'), delete: ['a'], version: '2' });
    cache.update(cluster, {});
    const second = isDelta ? ['c@1', '-a'] : ['b@1', 'c@1'];
    expect(stream.heard).toEqual([[], ['a@1', 'b@1'], second]);
    expect(stream.versions.slice(1)).toEqual(['1', '2']);
    expect(changes).toEqual([cluster, cluster]);
    cancel();
    cache.delete(cluster, 'b');
    expect(changes).toHaveLength(2);
    cache.hooks.onDisconnect(stream);
    cache.delete(cluster, 'c');
    expect(stream.heard).toHaveLength(4);
  });

  test('names are announced when the first asks, and released when the last has gone', () => {
    const told: string[] = [];
    const cache = createLinearCache<FakeStream>({
      onDemand: ({ name }: ResourceRef) => told.push(name),
      onRelease: ({ name }) => told.push(`-${name}`),
    });
    cache.set(endpoint, toResource('there@1'));
    const [a, b] = [connect(cache), connect(cache)];
    a.ask(cache.hooks, endpoint, ['x', 'there']);
    b.ask(cache.hooks, endpoint, ['x', 'y']);
    expect(told.splice(0)).toEqual(['x', 'y']);
    cache.set(endpoint, toResource('x@1'));
    expect(a.heard.at(-1)).toEqual(isDelta ? ['x@1'] : ['there@1', 'x@1']);
    a.ask(cache.hooks, endpoint, ['there']);
    expect(told.splice(0)).toEqual([]);
    cache.hooks.onDisconnect(b);
    expect(told.splice(0)).toEqual(['-x', '-y']);
    a.ask(cache.hooks, endpoint, ['y']);
    expect(told.splice(0)).toEqual(['y', '-there']);
    cache.hooks.onDisconnect(a);
    expect(told.splice(0)).toEqual(['-y']);
  });

  test('a name may be set while it is announced', () => {
    const cache = createLinearCache<FakeStream>({
      onDemand: ({ typeUrl, name }) => cache.set(typeUrl, toResource(`${name}@1`)),
    });
    const stream = connect(cache);
    stream.ask(cache.hooks, endpoint, ['x', 'y']);
    expect(stream.heard.at(-1)).toEqual(['x@1', 'y@1']);
  });
});
