// `countersign/xds` as its users get it: by its name, with nothing of the mesh behind it.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { DEFAULT_DISCOVERY_LIMITS } from '../../src/grpc/index.js';
import * as library from '../../src/grpc/library.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

async function evaluate(script: string): Promise<string> {
  const args = ['--input-type=module', '--eval', script];
  return (await run(process.execPath, args, { cwd: ROOT })).stdout.trim();
}

/**
 * Packages that a built module loads, directly or through its own files, dynamic imports included.
 */
function packagesOf(file: string, seen = new Set<string>()): ReadonlySet<string> {
  const packages = new Set<string>();
  if (seen.has(file)) return packages;
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  for (const [, , specifier = ''] of text.matchAll(/\b(from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
    if (!specifier.startsWith('.')) packages.add(specifier);
    else for (const one of packagesOf(resolve(dirname(file), specifier), seen)) packages.add(one);
  }
  return packages;
}

test('it is found by its name, and so are the encoders', async () => {
  const script = `
    const xds = await import('countersign/xds');
    const { envoy } = await import('countersign/envoy');
    const bytes = envoy.config.cluster.v3.Cluster.encode({ name: 'a' }).finish();
    const { name } = xds.createResource({ name: 'a', value: bytes });
    process.stdout.write([typeof xds.attachDiscovery, name].join(' '));`;
  expect(await evaluate(script)).toBe('function a');
});

test('it loads gRPC, protobuf and Node, and nothing else', () => {
  const packages = [...packagesOf(resolve(ROOT, 'dist/grpc/library.js'))];
  const others = packages.filter((name) => !name.startsWith('node:')).sort();
  expect(others).toEqual(['@grpc/grpc-js', 'protobufjs/minimal.js']);
});

test('other modules of the package are its own affair', async () => {
  const script = `await import('countersign/dist/server/index.js').catch((error) =>
    process.stdout.write(error.code));`;
  expect(await evaluate(script)).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED');
});

test('docs/api-xds.md names every export and every limit', () => {
  const text = readFileSync(resolve(ROOT, 'docs/api-xds.md'), 'utf8');
  const names = [...Object.keys(library), ...Object.keys(DEFAULT_DISCOVERY_LIMITS)];
  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
});
