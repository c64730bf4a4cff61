// What somebody gets who installs it: what is packed, that its pages lead somewhere, that what they
// show compiles, and that the library alone asks for nothing of the command's.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-package-'));
  folders.push(folder);
  return folder;
}

/** What `npm pack` would put into the package of a folder. */
async function packedOf(folder: string): Promise<readonly string[]> {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const { stdout } = await run('npm', args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 });
  const [{ files } = { files: [] }] = JSON.parse(stdout) as { files: { path: string }[] }[];
  return files.map(({ path }) => path);
}

/** Links of packed pages that lead to nothing that is packed. */
function brokenLinks(folder: string, files: readonly string[]): readonly string[] {
  const pages = files.filter((file) => file.endsWith('.md'));
  expect(pages).not.toEqual([]);
  return pages.flatMap((page) => {
    const text = readFileSync(join(folder, page), 'utf8');
    const links = [...text.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)].map(([, link = '']) => link);
    return links
      .filter((link) => !/^[a-z]+:/.test(link))
      .map((link) => posix.join(posix.dirname(page), link))
      .filter((to) => !files.some((file) => file === to || file.startsWith(`${to}/`)))
      .map((to) => `${page}: ${to}`);
  });
}

function readJson(path: string): Record<string, Record<string, unknown>> {
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, Record<string, unknown>>;
}

describe('the package', () => {
  const manifest = readJson(join(ROOT, 'package.json'));

  test('has its pages and examples, no source map that leads nowhere, no test', async () => {
    const files = await packedOf(ROOT);
    for (const file of ['docs/api-xds.md', 'docs/errors.md', 'LICENSE', 'ARCHITECTURE.md']) {
      expect(files).toContain(file);
    }
    expect(files.filter((file) => /\.map$|^(src|test|bench|scripts)\//.test(file))).toEqual([]);
    const mapped = files
      .filter((file) => file.endsWith('.js'))
      .filter((file) => readFileSync(join(ROOT, file), 'utf8').includes('sourceMappingURL='));
    expect(mapped).toEqual([]);
    expect(brokenLinks(ROOT, files)).toEqual([]);
  });

  test('each export is there, and says who made it and what for', () => {
    const targets = Object.values(manifest['exports'] ?? {}).flatMap((one) =>
      typeof one === 'string' ? [one] : Object.values(one as Record<string, string>),
    );
    expect(targets.length).toBeGreaterThan(4);
    for (const target of targets) expect(() => readFileSync(join(ROOT, target))).not.toThrow();
    expect(manifest['exports']?.['.']).toEqual(manifest['exports']?.['./xds']);
    expect(manifest).toMatchObject({
      author: expect.any(String),
      keywords: expect.arrayContaining(['xds', 'envoy']),
    });
  });

  test('docs/api-envoy.md lists all messages', async () => {
    const { stdout } = await run(process.execPath, [join(ROOT, 'scripts/list-messages.mjs')]);
    const page = readFileSync(join(ROOT, 'docs/api-envoy.md'), 'utf8');
    expect(page === stdout, 'node scripts/list-messages.mjs > docs/api-envoy.md').toBe(true);
  });
});

/** A folder with these packages to import, and no others. */
function createProject(packages: Readonly<Record<string, string>>): string {
  const folder = createFolder();
  for (const [name, path] of Object.entries(packages)) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(path, link, 'dir');
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  return folder;
}

const moduleOf = (name: string): string => join(ROOT, 'node_modules', name);

test('the library alone: its own files and two dependencies, and it runs', async () => {
  const folder = createFolder();
  await run(process.execPath, [join(ROOT, 'scripts/xds-package.mjs'), folder]);
  const manifest = readJson(join(folder, 'package.json'));
  expect(Object.keys(manifest['dependencies'] ?? {}).sort()).toEqual([
    '@grpc/grpc-js',
    'protobufjs',
  ]);
  const files = await packedOf(folder);
  const ours = files.filter((file) => /^dist\/(cli|server|policy|translate|x509)\//.test(file));
  expect(ours).toEqual([]);
  expect(files).toContain('dist/grpc/library.d.ts');
  expect(brokenLinks(folder, files)).toEqual([]);
  for (const name of ['@grpc/grpc-js', 'protobufjs']) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(moduleOf(name), link, 'dir');
  }
  const project = createProject({
    'countersign-xds': folder,
    '@grpc/grpc-js': moduleOf('@grpc/grpc-js'),
  });
  const script = `
    import { Server } from '@grpc/grpc-js';
    import * as xds from 'countersign-xds';
    import { envoy } from 'countersign-xds/envoy';
    const cache = xds.createLinearCache();
    xds.attachDiscovery(new Server(), { authenticate: () => 'a', hooks: cache.hooks });
    xds.attachReflection(new Server(), { services: ['a'] });
    const { Cluster } = envoy.config.cluster.v3;
    process.stdout.write(Cluster.decode(Cluster.encode({ name: 'a' }).finish()).name);`;
  writeFileSync(join(project, 'main.mjs'), script);
  expect((await run(process.execPath, ['main.mjs'], { cwd: project })).stdout).toBe('a');
});

/** Blocks of that language in a page. */
function snippetsOf(page: string): readonly string[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(/```(?:ts|js)\n(.*?)```/gs)].map(([, code = '']) => code);
}

test('what docs/api-xds.md shows compiles, against the types of the package', async () => {
  const project = createProject({
    countersign: ROOT,
    '@grpc/grpc-js': moduleOf('@grpc/grpc-js'),
    '@types/node': moduleOf('@types/node'),
  });
  const snippets = snippetsOf('docs/api-xds.md');
  expect(snippets.length).toBeGreaterThan(2);
  snippets.forEach((code, i) => {
    writeFileSync(join(project, `snippet-${i}.ts`), `${code}\nexport {};\n`);
  });
  const { compilerOptions } = readJson(join(ROOT, 'tsconfig.json'));
  const options = { ...compilerOptions, noEmit: true, noUnusedLocals: false };
  const tsconfig = { compilerOptions: options, include: ['*.ts'] };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(tsconfig));
  const tsc = resolve(ROOT, 'node_modules/typescript/bin/tsc');
  const problems = await run(process.execPath, [tsc, '-p', project], { cwd: project }).then(
    () => '',
    (error: { stdout?: string }) => error.stdout ?? String(error),
  );
  expect(problems).toBe('');
});

test('messages of filters and of discovery are encoded and decoded', async () => {
  const { envoy } = (await import('../../src/gen/api.js')) as typeof import('../../src/gen/api.js');
  const { http } = envoy.extensions.filters;
  const { JwtAuthentication } = http.jwt_authn.v3;
  const bytes = JwtAuthentication.encode({ bypassCorsPreflight: true }).finish();
  expect(JwtAuthentication.decode(bytes)).toMatchObject({ bypassCorsPreflight: true });
  for (const name of [
    'ext_authz',
    'lua',
    'local_ratelimit',
    'cors',
    'fault',
    'on_demand',
  ] as const) {
    expect(http[name].v3).toBeDefined();
  }
  const { DeltaDiscoveryResponse } = envoy.service.discovery.v3;
  const response = DeltaDiscoveryResponse.encode({ removedResources: ['a'] }).finish();
  expect(DeltaDiscoveryResponse.decode(response).removedResources).toEqual(['a']);
});
