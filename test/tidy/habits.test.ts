import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/base/index.js';
import { formatProblem, parseMesh } from '../../src/policy/index.js';
import vitestConfig from '../../vitest.config.js';
import { FILES, MODULES, SCRIPTS, SRC, some, TESTS } from './files.js';
import { LONG_FILES, LONG_FUNCTIONS, WIDE_LINES } from './ratchet.js';
import { callsOf, functionLengths, literal, readText } from './sources.js';

// Habits that a test can hold (STYLE): each check first makes sure that it looks at something.

const TEXTS = some(FILES.filter((path) => !/\.(png|jpg|ico|svg)$/.test(path))).map(readText);

describe('sizes', () => {
  const code = [...MODULES, ...SCRIPTS];
  const lines = ({ text }: { text: string }): string[] => text.trimEnd().split('\n');

  /** Compares sizes with a limit and the files that are known to exceed it. */
  function expectWithin(
    sizes: readonly { path: string; size: number }[],
    { limit, known }: { limit: number; known: Readonly<Record<string, number>> },
  ): void {
    const tooLarge = some(sizes).filter(({ path, size }) => size > (known[path] ?? limit));
    expect(tooLarge, 'make them smaller, or say why in the review').toEqual([]);
    const bySize = new Map(sizes.map(({ path, size }) => [path, size]));
    const needless = Object.keys(known).filter((path) => (bySize.get(path) ?? 0) <= limit);
    expect(needless, 'delete these lines of test/tidy/ratchet.ts').toEqual([]);
  }

  it('files have at most 500 lines', () => {
    const sizes = code.map((file) => ({ path: file.path, size: lines(file).length }));
    expectWithin(sizes, { limit: 500, known: LONG_FILES });
  });

  it('functions have at most 70 lines', () => {
    const sizes = [...SRC, ...SCRIPTS].map((module) => {
      const lengths = functionLengths(module).map((one) => one.lines);
      return { path: module.path, size: Math.max(0, ...lengths) };
    });
    expectWithin(sizes, { limit: 70, known: LONG_FUNCTIONS });
  });

  it('lines have at most 100 columns', () => {
    const sizes = code.map((file) => ({
      path: file.path,
      size: lines(file).filter((line) => [...line].length > 100).length,
    }));
    expectWithin(sizes, { limit: 0, known: WIDE_LINES });
  });
});

describe('banned', () => {
  /** Call, what to use instead, where it is allowed all the same. */
  const CALLS: readonly [call: RegExp, instead: string, except: RegExp][] = [
    [/^(Date\.now|new Date|performance\.now|process\.hrtime.*)$/, 'Clock.now', /^src\/base\//],
    [/^(setTimeout|setInterval)$/, 'Clock.after', /^src\/base\//],
    [/^Math\.random$/, 'Random', /^src\/base\//],
    [/^console\./, "the command's io, or a Logger", /^src\/cli\//],
    [/^process\.exit$/, 'a returned exit code', /^src\/cli\//],
  ];
  const called = some(MODULES.flatMap((module) => callsOf(module).map((call) => [module, call])));

  it.each(CALLS.map(([call, instead, except]) => ({ call, instead, except })))(
    '$call: use $instead',
    ({ call, except }) => {
      const wrong = (called as [(typeof MODULES)[number], string][]).filter(
        ([{ path }, name]) => call.test(name) && !except.test(path),
      );
      expect(wrong.map(([{ path }, name]) => `${path}: ${name}`)).toEqual([]);
    },
  );

  it('node ids that are composed or split by hand: src/spiffe/node-id.ts', () => {
    const byHand = /\}~\$\{|split\('~'|indexOf\('~'/;
    const found = some(SRC.filter(({ text }) => byHand.test(text)));
    expect(found.map(({ path }) => path)).toEqual(['src/spiffe/node-id.ts']);
  });

  it('default exports: a name, which every importer then shares', () => {
    const wrong = MODULES.filter(
      ({ path, nodes }) =>
        !path.endsWith('.d.ts') && nodes.some(({ type }) => type === 'ExportDefaultDeclaration'),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('enums: a union of strings', () => {
    const wrong = MODULES.filter(
      ({ path, nodes }) =>
        !path.endsWith('.d.ts') && nodes.some(({ type }) => type === 'TSEnumDeclaration'),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('a note of work to be done names an issue', () => {
    const note = /\b(TODO|FIXME|XXX)\b(?!.*#\d)/;
    const wrong = [...SRC, ...SCRIPTS].filter(({ text }) => note.test(text));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

describe('tests', () => {
  it('every test file is one that vitest finds', () => {
    expect(vitestConfig.test?.include).toEqual(['test/**/*.test.ts']);
    const tests = some(FILES.filter((path) => /\.(test|spec)\.\w+$/.test(path)));
    expect(tests.filter((path) => !/^test\/.*\.test\.ts$/.test(path))).toEqual([]);
  });

  it('none is switched off or alone', () => {
    const wrong = TESTS.filter(({ path }) => !/\/require-(envoy|step-ca)\.ts$/.test(path)).flatMap(
      (module) =>
        callsOf(module)
          .filter((call) => /^(describe|it|test)\..*\b(only|skip|todo|fails)$/.test(call))
          .map((call) => `${module.path}: ${call}`),
    );
    expect(wrong).toEqual([]);
  });

  const examples = some([
    ...new Set(
      FILES.filter((path) => path.startsWith('envoy-examples/')).map((path) => path.split('/')[1]),
    ),
  ]);

  it.each(examples)('the example %s is used by a test, and its mesh is a good one', (name) => {
    const path = `envoy-examples/${name}/mesh.yaml`;
    const { problems } = FILES.includes(path) ? parseMesh([readText(path)]) : { problems: [] };
    const errors = problems.filter(({ severity }) => severity === 'error');
    expect(errors.map(formatProblem)).toEqual([]);
    const users = TESTS.filter(({ text }) => text.includes(`envoy-examples/${name}`));
    expect(users.map((user) => user.path)).not.toEqual([]);
  });
});

describe('documents', () => {
  it('docs/errors.md lists every error code, with the meaning that the code gives it', () => {
    const { text } = readText('docs/errors.md');
    const rows = [...text.matchAll(/^\| `([a-z-]+)` \| (.+?) \| (.+?) \|$/gm)];
    const documented = Object.fromEntries(rows.map(([, code, meaning]) => [code, meaning]));
    expect(documented).toEqual(ERROR_CODES);
    expect(Object.keys(documented)).toEqual(Object.keys(ERROR_CODES));
  });

  it('every error code is one that a `new MeshError` names', () => {
    const errors = SRC.flatMap(({ nodes }) => nodes).filter(
      ({ type, callee, arguments: given }) =>
        given !== undefined &&
        (type === 'CallExpression'
          ? (callee as { type?: string }).type === 'Super'
          : (callee as { name?: string } | undefined)?.name === 'MeshError'),
    );
    const codes = new Set(some(errors).map((node) => literal((node['arguments'] as unknown[])[0])));
    expect(Object.keys(ERROR_CODES).filter((code) => !codes.has(code))).toEqual([]);
  });

  it('no file names a place of one machine or a package registry', () => {
    const place = /(?<![\w.-])\/(?:work|root|home\/\w+|tmp\/bash_jobs)\//;
    const host = /\/\/(?:[\w-]+\.)*(?:registry|pypi|artifactory|nexus)[\w.-]*\.\w+/;
    const wrong = TEXTS.filter(({ text }) => place.test(text) || host.test(text));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('the lockfile has checksums and no download addresses', () => {
    const { packages } = JSON.parse(readText('package-lock.json').text) as {
      packages: Record<string, { integrity?: string; resolved?: string; link?: boolean }>;
    };
    const entries = some(Object.entries(packages).filter(([path]) => path !== ''));
    expect(entries.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
    expect(entries.filter(([, { integrity }]) => integrity === undefined)).toEqual([]);
  });
});
