// The persistent tree against a Map: the same content after any changes, older versions untouched,
// and the difference of any two versions.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createResource, type Resource } from '../../src/xds/index.js';
import { ResourceTree } from '../../src/xds/resource-tree.js';

const resource = (name: string, content = ''): Resource =>
  createResource({ name, value: Buffer.from(content) });

const byName = (resources: Iterable<Resource>): readonly Resource[] =>
  [...resources].sort((a, b) => (a.name < b.name ? -1 : 1));

/** Pairs of one hash, found by trying: each ends up in one list at the bottom of the tree. */
const COLLIDING = ['7yzx', 'e6ad', '7yzy', 'e6ae'] as const;

test('any changes: as a Map has it, and each version as it was', () => {
  const names = fc.constantFrom(...Array.from({ length: 60 }, (_, i) => `name-${i}`), ...COLLIDING);
  const change = fc.record({ name: names, content: fc.option(fc.string({ maxLength: 2 })) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 120 }), fc.nat(), (changes, pick) => {
      const map = new Map<string, Resource>();
      let tree = ResourceTree.EMPTY;
      const versions = [{ tree, resources: [] as readonly Resource[] }];
      for (const { name, content } of changes) {
        if (content === null) {
          map.delete(name);
          tree = tree.without(name);
        } else {
          map.set(name, resource(name, content));
          tree = tree.with(map.get(name) as Resource);
        }
        assert.equal(tree.size, map.size);
        assert.equal(tree.get(name), map.get(name));
        versions.push({ tree, resources: [...map.values()] });
      }
      for (const version of versions) {
        assert.deepEqual([...version.tree.values()], version.resources);
      }
      const earlier = versions[pick % versions.length] ?? versions[0];
      checkDifference(earlier?.tree ?? tree, tree);
      checkDifference(tree, earlier?.tree ?? tree);
    }),
    { seed: 20_261_122, numRuns: 300 },
  );
});

function checkDifference(earlier: ResourceTree, later: ResourceTree): void {
  const { changed, removed } = later.since(earlier);
  const isNew = (one: Resource): boolean => earlier.get(one.name) !== one;
  assert.deepEqual(byName(changed), byName([...later.values()].filter(isNew)));
  const gone = [...earlier.keys()].filter((name) => !later.has(name));
  assert.deepEqual([...removed].sort(), gone.sort());
}

test('it reads as a Map does', () => {
  const [a, b] = [resource('a'), resource('b')];
  const tree = ResourceTree.EMPTY.with(a).with(b);
  expect(new Map(tree)).toEqual(
    new Map([
      ['a', a],
      ['b', b],
    ]),
  );
  expect([...tree.keys()].sort()).toEqual(['a', 'b']);
  const seen: string[] = [];
  tree.forEach((_, name) => {
    seen.push(name);
  });
  expect(seen.sort()).toEqual(['a', 'b']);
  expect(tree.without('c')).toBe(tree);
  expect(tree.without('a').without('b').size).toBe(0);
});
