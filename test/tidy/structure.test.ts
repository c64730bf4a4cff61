import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  circlesOf,
  exportedValues,
  importedNames,
  loadedBy,
  passedOn,
  passedOnValues,
} from './exports.js';
import { SCRIPTS, SRC, some, TESTS } from './files.js';
import { CIRCLES, FOR_TESTS, LARGE_CLASSES, LONG_TEST_FUNCTIONS, WIDE_FACES } from './ratchet.js';
import { functionLengths, listFiles, type Module, type Node, readText } from './sources.js';

// The shape of the house: faces, circles, sizes, and that nothing is kept for its tests alone.

const isFace = ({ path }: Module): boolean => path.endsWith('/index.ts');
const FACES = some(SRC.filter(isFace));
const BODIES = some(SRC.filter((module) => !isFace(module)));

describe('exports', () => {
  const imported = new Set(some(BODIES.flatMap(importedNames)));
  const library = SRC.find(({ path }) => path === 'src/grpc/library.ts');
  const published = new Set(library === undefined ? [] : passedOn(library));
  const outside = [
    ...SCRIPTS,
    ...listFiles('envoy-examples')
      .filter((path) => path.endsWith('.mjs'))
      .map(readText),
  ].map(({ text }) => text);
  const isUsed = (name: string): boolean =>
    imported.has(name) ||
    published.has(name) ||
    outside.some((text) => new RegExp(`\\b${name}\\b`).test(text));

  // A limit (`MAX_TOKEN_BYTES`) may be exported for tests that go up to it.
  it('no function and no class is exported for tests alone', () => {
    const loaded = new Set(SRC.flatMap(loadedBy));
    const own = BODIES.filter(({ path }) => !loaded.has(path));
    const unused = own.flatMap((module) =>
      exportedValues(module)
        .filter((name) => !isUsed(name) && !/^[A-Z][A-Z0-9_]+$/.test(name))
        .map((name) => `${module.path}: ${name}`),
    );
    expect(unused.filter((one) => !FOR_TESTS.has(one))).toEqual([]);
    const needless = [...FOR_TESTS.keys()].filter(
      (one) => !unused.includes(one) && !one.includes('/index.ts'),
    );
    expect(needless, 'delete these lines of test/tidy/ratchet.ts').toEqual([]);
  });

  it('a face hands out only what others use, and not too much', () => {
    const idle = FACES.filter(({ path }) => !/^src\/(grpc|xds)\//.test(path)).flatMap((face) =>
      passedOnValues(face)
        .filter((name) => !isUsed(name) && !/^[A-Z][A-Z0-9_]+$/.test(name))
        .map((name) => `${face.path}: ${name}`),
    );
    expect(idle.filter((one) => !FOR_TESTS.has(one))).toEqual([]);
    const wide = FACES.filter((face) => passedOn(face).length > (WIDE_FACES[face.path] ?? 25));
    expect(wide.map((face) => `${face.path}: ${passedOn(face).length}`)).toEqual([]);
  });
});

it('no files import one another in a circle', () => {
  const circles = circlesOf(SRC).map((files) => files.join(' '));
  expect(circles.filter((one) => !CIRCLES.includes(one))).toEqual([]);
  const needless = CIRCLES.filter((one) => !circles.includes(one));
  expect(needless, 'delete these lines of test/tidy/ratchet.ts').toEqual([]);
});

it('a base name is used once in a room', () => {
  const seen = new Map<string, string>();
  const twice = BODIES.flatMap(({ path }) => {
    const key = `${path.split('/')[1]}/${posix.basename(path)}`;
    const other = seen.get(key);
    seen.set(key, path);
    return other === undefined ? [] : [`${other} and ${path}`];
  });
  expect(twice).toEqual([]);
});

it('a list of what exceeds a limit has no entry that no longer does', () => {
  const classes = new Map(SRC.map((module) => [module.path, longestClass(module)]));
  const needless = [
    ...Object.keys(LARGE_CLASSES).filter((path) => (classes.get(path) ?? 0) <= 200),
    ...Object.keys(WIDE_FACES).filter((path) => {
      const face = FACES.find((one) => one.path === path);
      return face === undefined || passedOn(face).length <= 25;
    }),
  ];
  expect(needless, 'delete these lines of test/tidy/ratchet.ts').toEqual([]);
});

const linesOf = ({ text }: Module, { start, end }: Node): number =>
  text.slice(start, end).split('\n').length;

function longestClass(module: Module): number {
  const classes = module.nodes.filter(({ type }) => type === 'ClassDeclaration');
  return Math.max(0, ...classes.map((node) => linesOf(module, node)));
}

describe('sizes', () => {
  it('classes have at most 200 lines', () => {
    const large = SRC.map((module) => ({ path: module.path, lines: longestClass(module) })).filter(
      ({ path, lines }) => lines > (LARGE_CLASSES[path] ?? 200),
    );
    expect(large).toEqual([]);
  });

  it('functions of tests grow no longer than 60 lines, but for those that are', () => {
    const sizes = TESTS.map((module) => ({
      path: module.path,
      long: functionLengths(module).filter(({ lines }) => lines > 60).length,
    }));
    const more = sizes.filter(({ path, long }) => long > (LONG_TEST_FUNCTIONS[path] ?? 0));
    expect(more, 'split them').toEqual([]);
    const bySize = new Map(sizes.map(({ path, long }) => [path, long]));
    const fallen = Object.entries(LONG_TEST_FUNCTIONS).filter(
      ([path, known]) => (bySize.get(path) ?? 0) < known,
    );
    expect(fallen, 'lower these numbers in test/tidy/ratchet.ts').toEqual([]);
  });
});
