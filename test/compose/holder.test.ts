// A project with holders (`x-countersign: { capture: transparent }`) on a real engine, as it is and
// through `countersign compose`: what worked goes on working, by mutual TLS, and a stranger is let
// in where mesh.yaml says so and nowhere else, whatever crashes.
import { chmod, cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { httpCall } from '../../src/demo/http-client.js';
import { eventually } from '../../src/demo/wait.js';
import { docker, ROOT } from './docker.js';
import { startEngine, stopEngine } from './engine.js';
import { openProject, type Project } from './project.js';
import { freePort } from './shop.js';
import { isClosed, letIn, type StrangerPlace, startStranger } from './stranger.js';

/** Where the engine is ours: its folder. */
const OWN = process.env['COMPOSE_ENGINE'];
const STRANGER = 'held-stranger';
const NAMED = ['http/web/8080', 'redis/cache/6379'];
const PUBLISHED = { FRONT_PORT: 0, WEB_PORT: 0 };

let project: Project;
let place: StrangerPlace;
let before: Use;

beforeAll(async () => {
  await docker('compose', 'build', '--quiet', 'countersign');
  await docker('build', '--quiet', '--target', 'capture', '--tag', 'countersign:capture', '.');
  const folder = await mkdtemp(join(tmpdir(), 'countersign-held-'));
  await chmod(folder, 0o755);
  await cp(join(ROOT, 'test/compose/held'), folder, { recursive: true });
  const wire = join(ROOT, 'envoy-examples/09-compose-file-meshed/app');
  await cp(join(wire, 'wire.mjs'), join(folder, 'wire.mjs'));
  for (const name of ['FRONT_PORT', 'WEB_PORT'] as const) PUBLISHED[name] = await freePort();
  const lines = Object.entries(PUBLISHED).map(([name, port]) => `${name}=${port}\n`);
  await writeFile(join(folder, '.env'), lines.join(''));
  project = openProject(folder, {});
  place = { name: STRANGER, networks: ['held_default'], wire };
  await project.compose('up', '--detach');
  const use = async (): Promise<void> => {
    before = await useIt();
  };
  await eventually(use, { what: 'the project to work', timeoutMs: 60_000, intervalMs: 300 });
});

afterAll(async () => {
  await docker('rm', '--force', STRANGER).catch(() => '');
  await project.compose('down', '--volumes', '--remove-orphans', '--timeout', '1');
  await rm(project.folder, { recursive: true, force: true });
});

interface Use {
  /** By front: of web and cache. */
  readonly front: unknown;
  /** By web: of front and cache. */
  readonly web: unknown;
}

async function ask(port: number, path: string): Promise<unknown> {
  const answer = await httpCall({ address: '127.0.0.1', port, path, timeoutMs: 8_000 });
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.body}`);
  return JSON.parse(answer.body);
}

/** The applications' own calls of each other: front's by its published port. */
async function useIt(): Promise<Use> {
  const script =
    "fetch('http://127.0.0.1:8080/call').then(async (r) => console.log(await r.text()))";
  const web = await project.compose('exec', '-T', 'web', 'node', '-e', script);
  return { front: await ask(PUBLISHED.FRONT_PORT, '/call'), web: JSON.parse(web) };
}

function told(caller: string): unknown {
  return expect.stringContaining(`/${caller}`);
}

/** Everything works, and applications are told who calls: it came by mutual TLS. */
async function works(): Promise<void> {
  const look = async (): Promise<void> => {
    const { front, web } = await useIt();
    expect(front).toEqual({ WEB_URL: told('front'), CACHE_URL: '+PONG' });
    expect(web).toEqual({ FRONT_URL: told('web'), CACHE_URL: '+PONG' });
  };
  await eventually(look, { what: 'the project to work', timeoutMs: 60_000, intervalMs: 200 });
}

/** Of a sidecar, as Envoy counts it. */
async function counted(holder: string, pattern: string): Promise<number> {
  const url = `http://127.0.0.1:19000/stats?filter=${encodeURIComponent(pattern)}`;
  const script = `fetch('${url}').then(async (r) => console.log(await r.text()))`;
  const text = await project.compose('exec', '-T', holder, 'node', '-e', script);
  const values = [...text.matchAll(/: (\d+)$/gm)].map(([, value]) => Number(value));
  return values.reduce((sum, value) => sum + value, 0);
}

async function addressOf(container: string): Promise<string> {
  const id = await project.containerOf(container);
  const format = '{{(index .NetworkSettings.Networks "held_default").IPAddress}}';
  return (await docker('inspect', '--format', format, id)).trim();
}

/** By name, where applications are now, and at a port that nobody declared. */
async function targets(): Promise<{ readonly declared: string[]; readonly undeclared: string }> {
  const [web, cache] = [await addressOf('web-holder'), await addressOf('cache-holder')];
  const declared = [...NAMED, `http/${web}/8080`, `redis/${cache}/6379`];
  return { declared, undeclared: `http/${web}/9999` };
}

async function sendStranger(): Promise<void> {
  const { declared, undeclared } = await targets();
  await startStranger(place, [...declared, undeclared]);
}

async function isLetInAt(expected: readonly string[]): Promise<void> {
  const look = async (): Promise<void> => expect(await letIn(STRANGER)).toEqual(expected);
  await eventually(look, { what: 'so', timeoutMs: 60_000, intervalMs: 300 });
}

async function makeStrict(): Promise<void> {
  const path = join(project.folder, 'mesh.yaml');
  const text = (await readFile(path, 'utf8'))
    .replace(/^mtls: permissive/m, 'mtls: strict')
    // What is published is for callers without an identity.
    .replace(/(?<=protocol: http)(?=, target: "front\.)/, ', mtls: permissive');
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
  await isLetInAt([]);
}

function now(): string {
  return new Date(systemClock.now()).toISOString();
}

/** Works again after the fault, and lets nobody in on the way, nor where it is then. */
async function staysClosed(fault: () => Promise<unknown>): Promise<void> {
  const since = now();
  await fault();
  await works();
  await isClosed(STRANGER, since);
  await sendStranger();
  await isClosed(STRANGER, now());
}

test('without a mesh it works, and is open to everybody', async () => {
  expect(before).toEqual({
    front: { WEB_URL: '{"caller":"nobody"}', CACHE_URL: '+PONG' },
    web: { FRONT_URL: '{"caller":"nobody"}', CACHE_URL: '+PONG' },
  });
});

describe('through `countersign compose`', () => {
  beforeAll(async () => {
    const mount = ['--rm', '--volume', `${project.folder}:/work`, '--workdir', '/work'];
    const command = ['countersign', 'compose', 'docker-compose.yml'];
    const said = await docker('run', ...mount, '--user', '0:0', ...command);
    expect(said).toMatch(/\n {2}web +holder /);
    project.env['COMPOSE_FILE'] = 'docker-compose.yml:docker-compose.mesh.yml';
    const beganMs = systemClock.now();
    await project.compose('up', '--detach').catch(async (error: unknown) => {
      process.stderr.write(await project.compose('logs', '--tail', '20'));
      throw error;
    });
    await works();
    process.stdout.write(`meshed within ${systemClock.now() - beganMs} ms\n`);
    await sendStranger();
  });

  test('calls of what has holders arrive by mutual TLS, TCP too', async () => {
    const pattern = '^listener\\..*ssl\\.handshake$';
    const beginning = await counted('cache-holder', pattern);
    expect(beginning).toBeGreaterThan(0);
    expect(await counted('web-holder', pattern)).toBeGreaterThan(0);
  });

  test("names of callees lead to addresses of the caller's own sidecar", async () => {
    const script = "require('dns').lookup('cache', (_, a) => console.log(a))";
    const found = await project.compose('exec', '-T', 'web', 'node', '-e', script);
    expect(found).toMatch(/^127\.64\.0\.\d+\n$/);
  });

  test('what was published still is, for callers without an identity', async () => {
    expect(await ask(PUBLISHED.WEB_PORT, '/')).toEqual({ caller: 'nobody' });
  });

  test('a stranger is let in at declared ports alone', async () => {
    await isLetInAt((await targets()).declared);
  });
});

describe('under STRICT', () => {
  beforeAll(makeStrict);

  test('a stranger is refused, by name, at addresses and at an undeclared port', async () => {
    await staysClosed(async () => {});
    await expect(ask(PUBLISHED.WEB_PORT, '/')).rejects.toThrow();
  });

  test('when an application is restarted', async () => {
    const ids = await Promise.all(['web', 'cache'].map(project.containerOf));
    await staysClosed(() => docker('restart', '--time', '1', ...ids));
  });

  test('when a holder is restarted: closed, until both that share its network are', async () => {
    const since = now();
    await docker('restart', '--time', '1', await project.containerOf('web-holder'));
    await isClosed(STRANGER, since);
    await staysClosed(() => project.compose('restart', '--timeout', '1', 'web-sidecar', 'web'));
    await staysClosed(() => project.compose('restart', '--timeout', '1', 'web-holder'));
  });

  test.runIf(OWN !== undefined)('when applications and sidecars are killed', async () => {
    for (const service of ['web', 'cache', 'web-sidecar', 'cache-sidecar']) {
      await staysClosed(async () => {
        process.kill(await project.pidOf(service), 'SIGKILL');
      });
    }
  });

  test.runIf(OWN !== undefined)('when the engine is restarted, as after a reboot', async () => {
    await staysClosed(async () => {
      await stopEngine(OWN ?? '');
      await startEngine(OWN ?? '');
      // It may start whoever joins a holder before the holder, and doesn't try again.
      await project.compose('up', '--detach');
    });
  });
});
