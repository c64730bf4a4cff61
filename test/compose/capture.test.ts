// The image that holds a network namespace and its rules, on a real engine: an application that
// joins it can't be reached from outside, whatever is restarted, and the holder keeps no right.
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { eventually } from '../../src/demo/wait.js';
import { docker } from './docker.js';

const IMAGE = 'countersign:capture';
const NETWORK = 'countersign-capture';
const [HOLDER, APPLICATION, OPEN] = ['holder', 'application', 'open'].map(
  (name) => `${NETWORK}-${name}`,
) as [string, string, string];
const RIGHTS = ['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '--read-only'];
const LISTEN = "require('net').createServer((s) => s.end('hello')).listen(8080, '0.0.0.0')";

beforeAll(async () => {
  await clean();
  await docker('build', '--quiet', '--target', 'capture', '--tag', IMAGE, '.');
  await docker('network', 'create', NETWORK);
  const added = ['NET_ADMIN', 'SETUID', 'SETGID'].flatMap((right) => ['--cap-add', right]);
  const at = ['--detach', '--name', HOLDER, '--network', NETWORK];
  await docker('run', ...at, ...RIGHTS, ...added, IMAGE, 'capture', '--sleep');
  await isHealthy();
  await startListening(APPLICATION, `container:${HOLDER}`);
  await startListening(OPEN, NETWORK);
  await eventually(async () => (await stranger(OPEN)) === 'hello', { what: 'one without rules' });
});

afterAll(clean);

async function clean(): Promise<void> {
  await docker('rm', '--force', '--volumes', APPLICATION, OPEN, HOLDER).catch(() => undefined);
  await docker('network', 'rm', NETWORK).catch(() => undefined);
}

async function isHealthy(): Promise<void> {
  const format = ['--format', '{{.State.Health.Status}}'];
  const isThere = async () => (await docker('inspect', ...format, HOLDER)).trim() === 'healthy';
  await eventually(isThere, { what: 'the rules to be in force', timeoutMs: 30_000 });
}

async function startListening(name: string, network: string): Promise<void> {
  const at = ['--detach', '--name', name, '--network', network, '--user', '1000'];
  await docker('run', ...at, ...RIGHTS, '--entrypoint', 'node', IMAGE, '-e', LISTEN);
}

/** What a container outside gets from port 8080 there. */
async function stranger(host: string): Promise<string> {
  const script = `const s = require('net').connect(8080, '${host}');
    s.on('data', (d) => console.log(String(d))).on('error', (e) => console.log(e.code));`;
  const at = ['--rm', '--network', NETWORK, ...RIGHTS, '--entrypoint', 'node'];
  return (await docker('run', ...at, IMAGE, '-e', script)).trim();
}

async function inApplication(script: string): Promise<string> {
  return (await docker('exec', APPLICATION, 'node', '-e', script)).trim();
}

test('an application that joins it is closed to outsiders, and open to itself', async () => {
  expect(await stranger(HOLDER)).toBe('ECONNREFUSED');
  const own = `require('net').connect(8080, '127.0.0.1')
    .on('data', (d) => console.log(String(d)))`;
  expect(await inApplication(own)).toBe('hello');
});

test("names are still resolved, by the engine's server on loopback", async () => {
  const script = `require('dns').lookup('${OPEN}', (e, a) => console.log(e?.code ?? 'found'))`;
  expect(await inApplication(script)).toBe('found');
});

test('what it calls goes to the sidecar: nowhere, while there is none', async () => {
  const script = `require('net').connect(8080, '${OPEN}').on('error', (e) => console.log(e.code))`;
  expect(await inApplication(script)).toBe('ECONNREFUSED');
});

test('it is closed again after either is restarted', async () => {
  await docker('restart', '--time', '1', APPLICATION);
  expect(await stranger(HOLDER)).toBe('ECONNREFUSED');
  await docker('restart', '--time', '1', HOLDER);
  await isHealthy();
  await docker('restart', '--time', '1', APPLICATION);
  expect(await stranger(HOLDER)).toBe('ECONNREFUSED');
});

/** A holder with a stand-in for Node, which tells what rules it finds. */
async function runStandIn(...rights: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-capture-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'countersign');
  await writeFile(path, '#!/bin/sh\nexec nft list ruleset\n');
  await chmod(folder, 0o755);
  await chmod(path, 0o755);
  const mount = ['--volume', `${path}:/usr/local/bin/countersign:ro`];
  return docker('run', '--rm', ...RIGHTS, ...rights, ...mount, IMAGE, 'capture', '--sleep');
}

test('its first rules are there before Node starts', async () => {
  const rules = await runStandIn('--cap-add', 'NET_ADMIN');
  expect(rules).toContain('redirect to :15006');
  expect(rules).toContain('redirect to :15001');
});

test('without the right to set them it ends, and nothing is held', async () => {
  await expect(runStandIn()).rejects.toThrow("the first rules can't be set, and nothing is held");
});

test('the holder is nobody, and may nothing', async () => {
  const pid = (await docker('inspect', '--format', '{{.State.Pid}}', HOLDER)).trim();
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
  expect(status).toMatch(/^Gid:\t65534\t65534\t65534\t65534$/m);
  for (const kind of ['CapPrm', 'CapEff', 'CapAmb']) {
    expect(status).toMatch(new RegExp(`^${kind}:\t0+$`, 'm'));
  }
});

test('it ends at once when it is told to', async () => {
  const began = systemClock.now();
  await docker('stop', '--time', '20', HOLDER);
  expect(systemClock.now() - began).toBeLessThan(5_000);
  expect(await docker('inspect', '--format', '{{.State.ExitCode}}', HOLDER)).toBe('0\n');
});
