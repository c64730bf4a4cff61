import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { openDataDir } from '../../src/data/index.js';
import { Cli, MESH, type Running, type Transcript } from './cli.js';

const FREE = ['--xds', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--log-level', 'silent'] as const;
const READY = /^ready: xds 127\.0\.0\.1:(\d+), admin (127\.0\.0\.1:\d+), mesh <dir>\/mesh\.yaml$/m;
const ADMIN = /^ready: xds \S+, admin (\S+), /m;

let cli: Cli;
beforeEach(() => {
  cli = new Cli();
  cli.write('mesh.yaml', MESH);
});

async function serve(...argv: readonly string[]): Promise<Running> {
  const running = cli.start('serve', ...FREE, ...argv);
  onTestFinished(async () => {
    running.stop();
    await running.done;
  });
  await running.until(({ stdout }) => READY.test(stdout()));
  return running;
}

async function stop(running: Running): Promise<Transcript> {
  running.stop();
  return running.done;
}

const adminOf = (running: Running): string => ADMIN.exec(running.stdout())?.[1] ?? '';

describe('serve', () => {
  test('creates its CA, says so and is ready; later it loads the same', async () => {
    const first = await stop(await serve('--mesh', '<dir>/mesh.yaml'));
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout.split('\n')).toEqual([
      'created a new CA in <dir>/.countersign',
      expect.stringMatching(READY),
      '',
    ]);
    const { stdout: root } = await cli.run('ca', 'bundle', '--data', '<dir>/.countersign');
    const second = await stop(await serve('--mesh', '<dir>/mesh.yaml'));
    expect(second.stdout.split('\n')[0]).toBe('loaded CA from <dir>/.countersign');
    expect((await cli.run('ca', 'bundle', '--data', '<dir>/.countersign')).stdout).toBe(root);
  });

  test('a folder of meshes has its data folder inside', async () => {
    mkdirSync(cli.path('meshes'));
    cli.write('meshes/a.yaml', MESH);
    const running = cli.start('serve', ...FREE, '--mesh', '<dir>/meshes');
    await running.until(({ stdout }) => stdout().includes('ready: '));
    const { code, stdout } = await stop(running);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^created a new CA in <dir>\/meshes\/\.countersign\n/);
  });

  test('answers the commands that ask it', async () => {
    const running = await serve('--mesh', '<dir>/mesh.yaml');
    const server = ['--server', adminOf(running)];
    expect(await cli.run('wait', '--timeout', '10s', ...server)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^mesh [0-9a-f]{12} is in force, but no proxy is connected/),
    });
    // The server's clock is the system's.
    cli.clock.jump(systemClock.now() - cli.clock.now());
    const { stdout: status } = await cli.run('status', ...server);
    expect(status).toMatch(
      new RegExp(
        '^mesh [0-9a-f]{12}, read \\d+\\w+ ago; no proxy is connected\n' +
          'if the server stopped now, [^\n]+\nno sidecar is connected of [^\n]+\n$',
      ),
    );
    const { stdout: hosts } = await cli.run('hosts', 'payments/ledger', ...server);
    expect(hosts).toMatch(/^127\.64\.0\.\d+ ledger\.payments ledger\.payments\.mesh\n$/);
    expect(await cli.run('hosts', 'nobody', ...server)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: the server says: .*"nobody"/),
    });
  });

  test('each flag is an environment variable too', async () => {
    const env = {
      COUNTERSIGN_MESH: cli.path('mesh.yaml'),
      COUNTERSIGN_DATA: cli.path('elsewhere'),
      COUNTERSIGN_XDS: '127.0.0.1:0',
      COUNTERSIGN_ADMIN: '127.0.0.1:0',
      COUNTERSIGN_LOG_LEVEL: 'info',
    };
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    const running = cli.start('serve');
    await running.until(({ stdout }) => stdout().includes('ready: '));
    vi.stubEnv('COUNTERSIGN_SERVER', adminOf(running));
    expect(await cli.run('status')).toMatchObject({ code: 0 });
    await running.until(({ stderr }) => stderr().includes('mesh in force'));
    const { code, stdout, stderr } = await stop(running);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^created a new CA in <dir>\/elsewhere\nready: /);
    const lines = stderr.trimEnd().split('\n');
    const messages = lines.map((line) => JSON.parse(line));
    expect(messages).toContainEqual(
      expect.objectContaining({ level: 'info', msg: 'mesh in force' }),
    );
  });

  test('a broken mesh and none stored: exit 2 with every problem', async () => {
    cli.write('mesh.yaml', 'trustDomain: a\nservices:\n  web: { mtls: stirct, prots: {} }\n');
    expect(await cli.run('serve', ...FREE, '--mesh', '<dir>/mesh.yaml')).toEqual({
      code: 2,
      stdout: '',
      stderr:
        '<dir>/mesh.yaml:3:10 services.web.mtls: expected strict, permissive or disable but got ' +
        '"stirct" (did you mean "strict"?)\n' +
        '<dir>/mesh.yaml:3:24 services.web.prots: unknown key "prots" (did you mean "ports"?)\n' +
        'error: expected a mesh to start from but got 2 errors\n',
    });
  });

  test('no mesh file', async () => {
    const { code, stdout, stderr } = await cli.run('serve', ...FREE, '--mesh', '<dir>/none.yaml');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/expected a mesh file or folder at <dir>\/none\.yaml but got nothing/);
    expect(readdirSync(cli.dir)).toEqual(['mesh.yaml']);
  });

  test('a broken mesh after a good one: the last good one is served', async () => {
    const running = await serve('--mesh', '<dir>/mesh.yaml');
    const server = ['--server', adminOf(running)];
    expect(await cli.run('wait', ...server)).toMatchObject({ code: 0 });
    await stop(running);
    cli.write('mesh.yaml', 'trustDomain: a\nservices:\n  web: { mtls: stirct }\n');
    const again = cli.start('serve', ...FREE, '--log-level', 'error', '--mesh', '<dir>/mesh.yaml');
    onTestFinished(async () => {
      again.stop();
      await again.done;
    });
    await again.until(({ stdout }) => /^ready: .*\n/m.test(stdout()));
    expect(again.stdout()).toMatch(
      /, mesh <dir>\/mesh\.yaml \(1 error: the last good mesh, [0-9a-f]{12}, is in force\)\n$/,
    );
    expect(JSON.parse(again.stderr().split('\n')[0] ?? '')).toMatchObject({ level: 'error' });
    const { code, stderr } = await cli.run('wait', '--server', adminOf(again));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^<dir>\/mesh\.yaml:3:10 services\.web\.mtls: /);
    expect(stderr).toMatch(/\nerror: expected a good mesh but got 1 error; an earlier one stays/);
  });
});

describe('what keeps serve from starting: exit 1, nothing overwritten', () => {
  const start = (...argv: string[]): Promise<Transcript> =>
    cli.run('serve', ...FREE, '--mesh', '<dir>/mesh.yaml', ...argv);

  test.each(['--xds', '--admin'])('a port in use: %s', async (flag) => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void taken.close());
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { code, stderr } = await start(flag, `127.0.0.1:${port}`);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        `error: expected to listen on 127.0.0.1:${port} but another process does already\n` +
        '  hint: stop what holds it, or choose another with --xds or --admin\n',
    });
  });

  test('a data folder that cannot be written', async () => {
    cli.write('file', '');
    expect(await start('--data', '<dir>/file/data')).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: expected to write <dir>/file/data but got ENOTDIR\n' +
        '  hint: a part of that path is a file: name another folder with --data\n',
    });
  });

  test('a data folder that another server holds', async () => {
    const path = cli.path('data');
    const held = await openDataDir({ path, lock: true });
    onTestFinished(() => held.close());
    const { code, stdout, stderr } = await start('--data', '<dir>/data');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^error: another server \(process \d+\) holds the data folder <dir>\/data\n {2}hint: /,
    );
  });

  test.each(['authority.json', 'xds-anchor.json', 'token-keys.json'])(
    'a damaged %s',
    async (file) => {
      await stop(await serve('--mesh', '<dir>/mesh.yaml', '--data', '<dir>/data'));
      const path = cli.path(`data/${file}`);
      // One character of the key: still JSON, still a string, no longer what was stored.
      const text = readFileSync(path, 'utf8').replace(/(PRIVATE KEY-----\\n.{20})./, '$1!');
      writeFileSync(path, text);
      const { code, stdout, stderr } = await start('--data', '<dir>/data');
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(new RegExp(`^error: <dir>/data/${file}: .*\\n  hint: restore this`));
      expect(stderr).not.toMatch(/[A-Za-z0-9+/]{40}/);
      expect(readFileSync(path, 'utf8')).toBe(text);
    },
  );

  test("another trust domain's data folder", async () => {
    await stop(await serve('--mesh', '<dir>/mesh.yaml', '--data', '<dir>/data'));
    cli.write('mesh.yaml', MESH.replace('shop.example', 'other.example'));
    const { code, stdout, stderr } = await start('--data', '<dir>/data');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error: expected trust domain "shop\.example".*\n {2}hint: /);
  });
});
