import { describe, expect, it } from 'vitest';
import { MODULES, SCRIPTS, SRC, some } from './files.js';
import { PRIVATE_ROOMS, ROOMS, type Room, roomOf, UNKNOWN } from './rooms.js';
import { importsOf, readText, resolveImport, urlsOf } from './sources.js';

// Who may import whom (ARCHITECTURE.md, "Layers").

/** The only places that may import a package. */
const PACKAGES: Readonly<Record<string, RegExp>> = {
  // In the demo it is an application's, and its caller's.
  '@grpc/grpc-js': /^src\/(grpc\/|server\/join\/xds-port\.ts|demo\/(echo-grpc|compose\/calls)\.ts)/,
  '@grpc/proto-loader': /^src\/grpc\/stock-client\.ts$/,
  commander: /^src\/cli\//,
  jose: /^src\/server\/join\/issuers\//,
  'node-forge': /^src\/x509\/pkcs12\//,
  pino: /^src\/cli\//,
  protobufjs: /^src\/cli\/proto-json\.ts$/,
  yaml: /^src\/(policy|cli|compose)\//,
  zod: /^src\/(policy|data|backup|ca|leaves|tokens|revocation|drains|server|cli|compose\/plan)\//,
};
const PURE = /^src\/(translate|policy|xds|spiffe|compose\/(plan|write))\//;
const IO = /^node:(fs|http|https|http2|net|tls|dns|child_process|worker_threads|os)(\/|$)/;
/** `files.ts` reads mesh.yaml; `isIP` is all that the others take from node:net. */
const MAY_DO_IO = ['src/policy/files.ts'];

const imports = some(
  SRC.flatMap((module) => importsOf(module).map((specifier) => ({ from: module.path, specifier }))),
);
const across = some(
  imports
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map(({ from, specifier }) => ({ from, to: resolveImport(from, specifier) }))
    .filter(({ from, to }) => roomOf(from) !== roomOf(to)),
);

it('every room has files, and every file of src is in a room', () => {
  const used = new Set<Room>(SRC.map(({ path }) => roomOf(path)));
  expect(ROOMS.filter((room) => room !== 'gen' && !used.has(room))).toEqual([]);
});

it('the table of ARCHITECTURE.md lists the rooms, in this order', () => {
  const { text } = readText('ARCHITECTURE.md');
  const row = /^\| `([a-z0-9/-]+)` \| .+ \| (?:.* )?\|$/gm;
  const rows = [...text.matchAll(row)].map(([, room]) => room);
  expect(some(rows)).toEqual(ROOMS);
});

it('a room imports only from rooms above it, and from none that it must not know', () => {
  const wrong = across.filter(({ from, to }) => {
    const [importer, imported] = [roomOf(from), roomOf(to)];
    const isAbove = ROOMS.indexOf(imported) < ROOMS.indexOf(importer);
    return !isAbove || UNKNOWN.get(importer)?.includes(imported) === true;
  });
  expect(wrong).toEqual([]);
});

it("other rooms are imported by a room's face (index.ts)", () => {
  const wrong = across.filter(({ from, to }) => {
    if (to.endsWith('/index.ts')) return false;
    const [house] = roomOf(to).split('/');
    const isPrivate = PRIVATE_ROOMS.includes(roomOf(to));
    return !(isPrivate && (house === 'gen' || from.startsWith(`src/${house}/`)));
  });
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

it('rooms that only think do no input or output', () => {
  const wrong = some(imports.filter(({ from }) => PURE.test(from))).filter(
    ({ from, specifier }) =>
      IO.test(specifier) && specifier !== 'node:net' && !MAY_DO_IO.includes(from),
  );
  expect(wrong).toEqual([]);
});

describe('files', () => {
  it('every file of src is used by src, and every helper by a test', () => {
    // The second is for users: the example's README starts it as an application. docker-compose.yml
    // starts those of `compose`. The last two are named in configurations of vitest.
    const programs = ['src/cli/main.ts', 'src/demo/echo-main.ts', 'src/grpc/library.ts'];
    programs.push('src/demo/compose/caller-main.ts', 'src/demo/compose/story-main.ts');
    programs.push('test/secrets/global-setup.ts', 'test/compose/engine.ts');
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
