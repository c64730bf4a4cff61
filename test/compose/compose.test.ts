// docker-compose.yml on a real engine: what it prints, what is inside its image, and that whatever
// crashes, plain text stays refused and the mesh works again.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { eventually } from '../../src/demo/wait.js';
import { compose, containerOf, docker, pidOf, ROOT } from './docker.js';
import { startEngine, stopEngine } from './engine.js';
import { byStranger, isClosed, now, works } from './probes.js';

/** Where the engine is ours: its folder. */
const OWN = process.env['COMPOSE_ENGINE'];

let readyMs = 0;

beforeAll(async () => {
  await compose('down', '--volumes', '--remove-orphans');
  await compose('build', '--quiet');
  const beganMs = systemClock.now();
  await compose('up', '--detach', '--wait', '--no-build').catch(async (error: unknown) => {
    process.stderr.write(await compose('logs', '--tail', '20'));
    throw error;
  });
  readyMs = systemClock.now() - beganMs;
});

afterAll(async () => {
  await compose('down', '--volumes', '--remove-orphans');
});

/** From the start of a container to the line by which its server says that it is ready. */
async function readyAfterMs(service: string): Promise<number> {
  const id = await containerOf(service);
  const started = await docker('inspect', '--format', '{{.State.StartedAt}}', id);
  const log = await docker('logs', '--timestamps', id);
  const ready = log.split('\n').find((line) => line.includes(' ready: xds '));
  return Date.parse(ready?.split(' ')[0] ?? '') - Date.parse(started.trim());
}

test('it prints what the demo prints', async () => {
  const log = await compose('logs', '--no-log-prefix', 'demo');
  const id = (name: string): string => `spiffe://compose.example/ns/default/sa/${name}`;
  const web = [
    `  web      -> ledger:8080 (http)  200, mTLS, ${id('web')} to ${id('ledger')}`,
    '  web      -> cache:6379 (tcp)  answered "cache: ping"',
    '  web      -> stock:9090 (grpc)  gRPC health SERVING',
  ];
  const lines = log.split('\n');
  const from = lines.findIndex((line) => line.startsWith('mtls: permissive.'));
  expect(lines.slice(from + 1, from + 4)).toEqual(web);
  expect(lines.slice(from + 4, from + 7)).toEqual([
    '  stranger -> ledger:8080 (http)  200, in plain text, by nobody known',
    '  stranger -> cache:6379 (tcp)  answered "cache: ping"',
    '  stranger -> stock:9090 (grpc)  gRPC health SERVING',
  ]);
  expect(lines[from + 8]).toMatch(/^ {2}web made \d{2,} calls meanwhile, 0 failed$/);
  expect(lines.slice(from + 9, from + 12)).toEqual(web);
  for (const line of lines.slice(from + 12, from + 15)) expect(line).toMatch(/stranger.*refused/);
});

describe('the image', () => {
  test('runs as nobody in particular, and has neither npm nor a compiler', async () => {
    const inside = (script: string): Promise<string> =>
      docker('run', '--rm', '--entrypoint', 'sh', 'countersign', '-c', script);
    expect(await inside('id -u; id -g')).toBe('10001\n10001\n');
    expect(await inside('command -v npm npx gcc make python3 || true')).toBe('');
    expect(await docker('run', '--rm', 'countersign', '--version')).toMatch(/^\d+\.\d+\.\d+/);
  });

  test('is as small as the README says, and rests in as little memory', async () => {
    const bytes = Number(await docker('image', 'inspect', '--format', '{{.Size}}', 'countersign'));
    const used = await docker(
      'stats',
      '--no-stream',
      '--format',
      '{{.MemUsage}}',
      await containerOf('countersign'),
    );
    const memory = Number(/^([\d.]+)MiB/.exec(used)?.[1]);
    const size = Math.round(bytes / 1e6);
    const server = Math.round(await readyAfterMs('countersign'));
    const measured = `image ${size} MB, ready after ${server} ms, memory ${memory} MiB`;
    process.stdout.write(`${measured}; up --wait ${readyMs} ms\n`);
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
    const said = (pattern: RegExp): number => Number(pattern.exec(readme)?.[1]);
    expect(Math.abs(size / said(/image of the server is (\d+) MB/) - 1)).toBeLessThan(0.05);
    // A busy machine is slower, and a server that has just started larger, but not by much.
    expect(server / 1_000 / said(/it is ready (\d+) s after its/)).toBeLessThan(4);
    expect(memory / said(/needs some (\d+) MB of memory at rest/)).toBeLessThan(1.5);
  });

  test('has a file system that nobody writes to, and no capability', async () => {
    const format =
      '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}';
    for (const service of ['countersign', 'ledger-sidecar', 'ledger-application', 'demo']) {
      const printed = await docker('inspect', '--format', format, await containerOf(service));
      expect(printed.trim()).toBe('true [ALL] [no-new-privileges:true]');
    }
  });
});

test('no plain text crosses the network of the containers', async () => {
  const network = (
    await docker('network', 'inspect', '--format', '{{.Id}}', 'countersign_mesh')
  ).trim();
  const capture = spawn(
    'tcpdump',
    ['-i', `br-${network.slice(0, 12)}`, '-U', '-w', '-', '-s', '0'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const packets: Buffer[] = [];
  capture.stdout?.on('data', (chunk: Buffer) => packets.push(chunk));
  const seen = (): string => Buffer.concat(packets).toString('latin1');
  try {
    // The stranger's own bytes are the proof that the capture sees what is there.
    const isSeen = async (): Promise<boolean> => {
      await byStranger('tcp/cache/6379');
      return seen().includes('ping');
    };
    await eventually(isSeen, { what: 'the capture to see plain text', timeoutMs: 30_000 });
    for (let round = 0; round < 5; round++) await works();
    expect(seen().length).toBeGreaterThan(10_000);
    for (const text of ['cache: ping', '"service":"ledger"', 'grpc.health.v1']) {
      expect(seen()).not.toContain(text);
    }
  } finally {
    capture.kill();
    await ended(capture);
  }
});

function ended(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('close', resolve));
}

describe('it closes or works, and never opens', () => {
  test('when an application crashes', async () => {
    const since = now();
    await compose('exec', '-T', 'ledger-application', 'sh', '-c', 'kill -9 -1').catch(() => '');
    await works();
    await isClosed(since);
  });

  test('when a container is restarted, or all of them', async () => {
    const since = now();
    await docker('restart', '--time', '1', await containerOf('cache'));
    await isClosed(since);
    // Those that share its network have to follow.
    await compose('restart', '--timeout', '1');
    await works();
    await isClosed(since);
  });

  test('when the server is made anew, with its volumes', async () => {
    const since = now();
    await compose('up', '--detach', '--no-build', '--no-deps', '--force-recreate', 'countersign');
    await isClosed(since);
    await works();
  });

  test.runIf(OWN !== undefined)('when a sidecar is killed', async () => {
    const since = now();
    process.kill(await pidOf('stock-sidecar'), 'SIGKILL');
    await works();
    await isClosed(since);
  });

  test.runIf(OWN !== undefined)('when the engine is restarted, as after a reboot', async () => {
    const since = now();
    const folder = OWN ?? '';
    await stopEngine(folder);
    await startEngine(folder);
    // It starts all containers at once, and doesn't try again those whose network wasn't there yet.
    await isClosed(since);
    await compose('up', '--detach', '--no-build');
    await works();
    await isClosed(since);
  });
});

test('what stands in the file is put in force by one command, and once', async () => {
  const put = (): Promise<string> => compose('run', '--rm', '--no-deps', 'mesh');
  expect(await put()).toContain('as it was put in force last');
  // As after an edit.
  await compose('exec', '-T', 'demo', 'rm', '/mesh/.put');
  expect(await put()).toContain('put mesh.yaml in force');
  const inForce = await compose('exec', '-T', 'demo', 'cat', '/mesh/mesh.yaml');
  expect(inForce).toBe(await readFile(join(ROOT, 'envoy-examples/compose/mesh.yaml'), 'utf8'));
  const open = async (): Promise<boolean> => (await byStranger('http/ledger/8080')).ok;
  await eventually(open, { what: 'plain text to be accepted', timeoutMs: 60_000, intervalMs: 500 });
  const strict = "sed 's/^mtls: .*/mtls: strict/' /mesh/mesh.yaml > /mesh/.edit";
  await compose('exec', '-T', 'demo', 'sh', '-c', `${strict} && mv /mesh/.edit /mesh/mesh.yaml`);
  const closed = async (): Promise<boolean> => !(await open());
  await eventually(closed, {
    what: 'plain text to be refused',
    timeoutMs: 60_000,
    intervalMs: 500,
  });
});
