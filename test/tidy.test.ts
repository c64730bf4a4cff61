import { strict as assert } from 'node:assert';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../src/base/index.js';
import { formatProblem, parseMesh } from '../src/policy/index.js';
import vitestConfig from '../vitest.config.js';
import { LONG_FILES, LONG_FUNCTIONS, WIDE_LINES } from './tidy/ratchet.js';
import {
  callsOf,
  functionLengths,
  importsOf,
  listFiles,
  literal,
  readModule,
  readText,
  resolveImport,
  urlsOf,
} from './tidy/sources.js';

// Habits that a test can hold (STYLE): each check first makes sure that it looks at something.

const FILES = some(listFiles());
const MODULES = some(FILES.filter((path) => /^(src|test)\/.*\.ts$/.test(path))).map(readModule);
const SRC = some(MODULES.filter(({ path }) => path.startsWith('src/')));
const TESTS = some(MODULES.filter(({ path }) => path.startsWith('test/')));
const SCRIPTS = some(FILES.filter((path) => /^(scripts|bench)\/.*\.mjs$/.test(path))).map(
  readModule,
);
const TEXTS = some(FILES.filter((path) => !/\.(png|jpg|ico|svg)$/.test(path))).map(readText);

function some<T>(items: readonly T[]): readonly T[] {
  assert(items.length > 0, 'a check that looks at nothing proves nothing');
  return items;
}

/** `src/<folder>/…` */
const folderOf = (path: string): string => path.split('/')[1] ?? '';

describe('layers', () => {
  /** A folder imports only from those before it. */
  const ORDER = ['base', 'gen', 'xds', 'identity', 'policy', 'translate', 'grpc', 'server', 'cli'];
  /** What a folder must not know although it stands before it (DESIGN.md, "Layers"). */
  const UNKNOWN: Readonly<Record<string, readonly string[]>> = {
    identity: ['gen', 'xds'],
    policy: ['gen', 'xds', 'identity'],
    translate: ['identity'],
    grpc: ['policy', 'translate'],
  };
  /** The only places that may import a package. */
  const PACKAGES: Readonly<Record<string, RegExp>> = {
    '@grpc/grpc-js': /^src\/(grpc\/|server\/xds-port\.ts)/,
    commander: /^src\/cli\//,
    jose: /^src\/server\/issuers\//,
    pino: /^src\/cli\//,
    protobufjs: /^src\/cli\/proto-json\.ts$/,
    yaml: /^src\/(policy|cli)\//,
    zod: /^src\/(policy|identity|server|cli)\//,
  };
  const PURE = /^src\/(translate|policy|xds)\//;
  const IO = /^node:(fs|http|https|http2|net|tls|dns|child_process|worker_threads|os)(\/|$)/;
  /** `files.ts` reads mesh.yaml; `isIP` is all that the others take from node:net. */
  const MAY_DO_IO = ['src/policy/files.ts'];

  const imports = some(
    SRC.flatMap((module) =>
      importsOf(module).map((specifier) => ({ from: module.path, specifier })),
    ),
  );
  const relative = some(imports.filter(({ specifier }) => specifier.startsWith('.'))).map(
    ({ from, specifier }) => ({ from, to: resolveImport(from, specifier) }),
  );
  const across = some(relative.filter(({ from, to }) => folderOf(from) !== folderOf(to)));

  it('every folder of src has its place', () => {
    const folders = new Set(SRC.map(({ path }) => folderOf(path)));
    expect([...folders].filter((folder) => !ORDER.includes(folder))).toEqual([]);
  });

  it('a folder imports only from folders above it, and from none that it must not know', () => {
    const wrong = across.filter(({ from, to }) => {
      const [importer, imported] = [folderOf(from), folderOf(to)];
      const isAbove = ORDER.indexOf(imported) < ORDER.indexOf(importer);
      return !isAbove || UNKNOWN[importer]?.includes(imported) === true;
    });
    expect(wrong).toEqual([]);
  });

  it("other folders are imported by a folder's face (index.ts)", () => {
    const wrong = across.filter(
      ({ to }) => !to.endsWith('/index.ts') && !/^src\/gen\/\w+\.js$/.test(to),
    );
    expect(wrong).toEqual([]);
  });

  it('a package is imported only where it belongs', () => {
    const named = imports.filter(({ specifier }) => /^[@a-z]/.test(specifier));
    const wrong = some(named).filter(({ from, specifier }) => {
      if (specifier.startsWith('node:')) return false;
      const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
      return PACKAGES[name]?.test(from) !== true;
    });
    expect(wrong).toEqual([]);
  });

  it('policy, translate and xds do no input or output', () => {
    const wrong = some(imports.filter(({ from }) => PURE.test(from))).filter(
      ({ from, specifier }) =>
        IO.test(specifier) && specifier !== 'node:net' && !MAY_DO_IO.includes(from),
    );
    expect(wrong).toEqual([]);
  });

  it('every file of src is used by src, and every helper by a test', () => {
    // The second is for users: the example's README starts it as an application. The last is named
    // in vitest.config.ts.
    const programs = ['src/cli/main.ts', 'src/cli/demo/echo-main.ts', 'src/grpc/library.ts'];
    programs.push('test/secrets/global-setup.ts');
    const reached = new Set(programs);
    for (const module of [...MODULES, ...SCRIPTS]) {
      for (const specifier of [...importsOf(module), ...urlsOf(module)]) {
        const target = resolveImport(module.path, specifier);
        if (target.startsWith('src/') && module.path.startsWith('test/')) continue;
        if (target !== module.path) reached.add(target);
      }
    }
    const unused = MODULES.map(({ path }) => path).filter(
      (path) => !reached.has(path) && !/\.(test|d)\.ts$/.test(path),
    );
    expect(unused).toEqual([]);
  });
});

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

  it('every error code is thrown somewhere', () => {
    const literals = new Set(
      SRC.filter(({ path }) => path !== 'src/base/error-codes.ts').flatMap(({ nodes }) =>
        nodes.map(literal),
      ),
    );
    expect(Object.keys(ERROR_CODES).filter((code) => !literals.has(code))).toEqual([]);
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
