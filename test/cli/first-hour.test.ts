// What somebody new meets in the first hour. Each test is named by what was seen.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Cli, MESH } from './cli.js';

const DATA = ['--data', '<dir>/data'] as const;
const AT = ['--address', '127.1.0.1'] as const;

let cli: Cli;
beforeEach(async () => {
  cli = new Cli();
  await cli.prepareData();
});

const mode = (name: string): number => statSync(cli.path(name)).mode & 0o777;

describe('a folder that cannot be made is said at once, and nothing spins', () => {
  const commands: readonly (readonly string[])[] = [
    ['cert', 'web', '--out', '/proc/x', ...DATA],
    ['cert', 'web', '--out', '/proc/x/y', '--watch', ...DATA],
    ['cert', 'web', '--out', '<dir>/tls', '--p12', '/proc/x/web.p12', ...DATA],
    ['bootstrap', 'web', ...AT, '--token-file', '/proc/x/token', ...DATA],
    ['bootstrap', 'web', ...AT, '--out', '/proc/x', ...DATA],
    ['init', '/proc/x'],
  ];

  test.each(commands)('%s %s %s %s', async (...argv) => {
    const { code, stderr } = await cli.run(...argv.filter((word) => word !== undefined));
    expect(code).toBe(1);
    expect(stderr).toMatch(/error: expected to write \/proc\/x.* but got ENOENT\n/);
  });

  test('folders that are made are open to whom the umask lets in', async () => {
    await cli.run('cert', 'web', '--out', '<dir>/a/tls', ...DATA);
    expect([mode('a'), mode('a/tls')]).toEqual([0o755, 0o755]);
  });
});

describe('a sidecar on the host of the server, without an address, calls itself forever', () => {
  const REFUSED = {
    code: 1,
    stdout: '',
    stderr:
      'error: expected an address for the sidecar of "web" other than its application\'s ' +
      'but got 127.0.0.1:8080 for both: it would call itself forever\n' +
      '  hint: give the sidecar an address of its own (bootstrap --address 127.1.0.1), or its ' +
      'application another port (target in mesh.yaml)\n',
  };

  test.each([
    [[]],
    [['--xds', 'localhost:18000']],
    [['--xds', '127.0.0.7:18000']],
    [['--address', '127.0.0.1']],
    [['--address', '127.0.0.1', '--xds', '10.0.0.1:18000']],
    [['--out', '<dir>/web']],
    [['--token-file', '<dir>/web.token']],
  ])('refused: %j', async (more) => {
    expect(await cli.run('bootstrap', 'web', ...more, ...DATA)).toEqual(REFUSED);
    expect(readdirSync(cli.dir)).toEqual(['data']);
  });

  test.each([
    ['web', AT],
    ['web', ['--xds', '10.0.0.1:18000']],
    ['web', ['--address', '10.0.0.5']],
  ])('%s by %j is let', async (service, more) => {
    expect((await cli.run('bootstrap', service, ...more, ...DATA)).code).toBe(0);
  });
});

const json = (name: string) => JSON.parse(readFileSync(cli.path(name), 'utf8'));
const sdsPaths = (name: string): readonly string[] =>
  [...readFileSync(cli.path(name), 'utf8').matchAll(/"path": "([^"]*)"/g)].map(([, p = '']) => p);

describe('bootstrap --out', () => {
  test('a folder that names nothing of this machine', async () => {
    const { code, stdout, stderr } = await cli.run(
      'bootstrap',
      'web',
      ...AT,
      '--out',
      '<dir>/web',
      ...DATA,
    );
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'wrote <dir>/web, which may be copied anywhere\n',
    });
    const [token, ...lines] = stderr.split('\n');
    expect(token).toMatch(/^token \S+ for web, expires \S+, in <dir>\/web\/token$/);
    expect(lines).toEqual([
      'run: <dir>/web/run.sh',
      'renew the token: (umask 077; countersign token web --data <dir>/data > ' +
        '<dir>/web/token.new) && mv <dir>/web/token.new <dir>/web/token; in a copy of the ' +
        'folder by mv too',
      '',
    ]);
    const files = readdirSync(cli.path('web')).sort();
    expect(files).toEqual([
      ...['envoy.json', 'run.sh', 'supervise.sh', 'token', 'token.sds.json', 'xds.pem'],
    ]);
    for (const name of files) {
      expect(readFileSync(cli.path(`web/${name}`), 'utf8'), name).not.toContain(cli.dir);
    }
    expect(sdsPaths('web/envoy.json')).toEqual(['./token.sds.json']);
    expect(json('web/token.sds.json').resources[0].generic_secret).toEqual({
      secret: { filename: './token' },
    });
    expect([mode('web/token'), mode('web/token.sds.json'), mode('web/run.sh')]).toEqual([
      ...[0o600, 0o600, 0o755],
    ]);
  });
});

describe('the folder of bootstrap --out', () => {
  test('its own run line starts it from a copy, in any working folder', async () => {
    await cli.run('bootstrap', 'web', ...AT, '--out', '<dir>/web', ...DATA);
    cpSync(cli.path('web'), cli.path('else where'), { recursive: true });
    mkdirSync(cli.path('bin'));
    const script = '#!/bin/sh\npwd; ls "$2"; printf "%s\\n" "$@"\n';
    cli.write('bin/envoy', script);
    execFileSync('chmod', ['+x', cli.path('bin/envoy')]);
    const options = { cwd: '/', encoding: 'utf8' } as const;
    const PATH = `${cli.path('bin')}:${process.env['PATH']}`;
    const argv = ['--log-level', 'warning'];
    const lines = [
      ...[cli.path('else where'), 'envoy.json', '-c', 'envoy.json', '--drain-time-s', '600'],
      ...['--drain-strategy', 'immediate', '--disable-hot-restart'],
      // By which it says that it goes (test/envoy/own-stop.test.ts).
      ...['--config-yaml', expect.stringContaining('countersign-departing'), ...argv],
    ];
    const run = cli.path('else where/run.sh');
    const byPath = execFileSync(run, argv, { ...options, env: { PATH } });
    expect(byPath.trim().split('\n')).toEqual(lines);
    const env = { PATH: process.env['PATH'], ENVOY: cli.path('bin/envoy') };
    const byName = execFileSync(run, argv, { ...options, env });
    expect(byName.trim().split('\n')).toEqual(lines);
  });
});

describe('bootstrap --out, installed elsewhere', () => {
  test('--install-dir names files by the paths that they will have', async () => {
    const install = ['--out', '<dir>/web', '--install-dir', '/etc/sidecar'];
    expect((await cli.run('bootstrap', 'web', ...AT, ...install, ...DATA)).code).toBe(0);
    expect(sdsPaths('web/envoy.json')).toEqual(['/etc/sidecar/token.sds.json']);
    expect(json('web/token.sds.json').resources[0].generic_secret).toEqual({
      secret: { filename: '/etc/sidecar/token' },
    });
  });
});

describe('what bootstrap --out keeps and takes along', () => {
  test('with --cert the pair is in it', async () => {
    await cli.run('cert', 'web', '--out', '<dir>/tls', ...DATA);
    const more = ['--cert', '<dir>/tls', '--out', '<dir>/web', '--xds', 'mesh:18000'];
    const { code, stderr } = await cli.run('bootstrap', 'web', ...AT, ...more, ...DATA);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr:
        'run: <dir>/web/run.sh\n' +
        'renew the certificate, wherever the folder is: countersign cert web --out <dir>/web ' +
        '--watch --xds mesh:18000 --xds-ca <dir>/web/xds.pem\n',
    });
    expect(readdirSync(cli.path('web')).sort()).toEqual([
      ...['bundle.pem', 'cert.pem', 'envoy.json', 'key.pem', 'run.sh', 'supervise.sh'],
      'xds-client.sds.json',
      'xds.pem',
    ]);
    expect(json('web/xds-client.sds.json').resources[0].tls_certificate).toEqual({
      certificate_chain: { filename: './cert.pem' },
      private_key: { filename: './key.pem' },
      watched_directory: { path: '.' },
    });
    expect(mode('web/key.pem')).toBe(0o600);
  });

  test('made again it keeps its token', async () => {
    const argv = ['bootstrap', 'web', ...AT, '--out', '<dir>/web', ...DATA];
    await cli.run(...argv);
    const token = readFileSync(cli.path('web/token'), 'utf8');
    expect((await cli.run(...argv)).code).toBe(0);
    expect(readFileSync(cli.path('web/token'), 'utf8')).toBe(token);
  });

  test.each([
    [['--out', 'x', '--token-file', 'y'], 'expected --out or --token-file but got both'],
    [['--install-dir', '/x'], 'expected --install-dir with --out but got it without'],
    [['--out', 'x', '--install-dir', 'y'], '--install-dir: expected an absolute path but got "y"'],
  ])('used wrongly: %j', async (more, message) => {
    const { code, stderr } = await cli.run('bootstrap', 'web', ...AT, ...more, ...DATA);
    expect({ code, message: stderr.split('\n')[0] }).toEqual({
      code: 2,
      message: `error: ${message}`,
    });
  });
});

describe('check and render ignore COUNTERSIGN_MESH', () => {
  beforeEach(() => {
    cli.write('mesh.yaml', MESH);
    vi.stubEnv('COUNTERSIGN_MESH', cli.path('mesh.yaml'));
    onTestFinished(() => void vi.unstubAllEnvs());
  });

  test('check', async () => {
    expect(await cli.run('check')).toEqual(await cli.run('check', '<dir>/mesh.yaml'));
    expect((await cli.run('check')).code).toBe(0);
  });

  test('render', async () => {
    const argv = ['payments/ledger', '--type', 'cds'];
    const byName = await cli.run('render', '<dir>/mesh.yaml', ...argv);
    expect(byName.code).toBe(0);
    expect(await cli.run('render', ...argv)).toEqual(byName);
    expect(await cli.run('render', 'web2')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the mesh declares no service "web2"'),
    });
  });

  test('what is named goes before it', async () => {
    cli.write('other.yaml', 'trustDomain: b\nservices: { only: {} }\n');
    expect((await cli.run('render', '<dir>/other.yaml', 'only')).code).toBe(0);
    expect((await cli.run('check', '<dir>/other.yaml')).stdout).toContain('1 service');
  });
});

test('help of a command below another is its own', async () => {
  const own = await cli.run('ca', 'rotate', '--help');
  expect(own.stdout).toContain('Usage: countersign ca rotate');
  expect(await cli.run('help', 'ca', 'rotate')).toEqual(own);
  expect(await cli.run('help', 'cert')).toEqual(await cli.run('cert', '--help'));
});

describe('cert --list shows what is refused like what is good', () => {
  test('a revoked certificate is marked, as is one that ended', async () => {
    const issue = async (ttl: string): Promise<string> => {
      const more = ['--out', '<dir>/tls', '--ttl', ttl, '--json'];
      const { stdout } = await cli.run('cert', 'web', ...more, ...DATA);
      return JSON.parse(stdout).certificate.serial;
    };
    const [ended, revoked, good] = [await issue('10s'), await issue('1h'), await issue('1h')];
    await cli.run('revoke', '--serial', revoked, ...DATA, '--server', '127.0.0.1:1');
    cli.clock.jump(60_000);
    const { stdout } = await cli.run('cert', '--list', ...DATA);
    const marks = new Map(
      stdout.split('\n').map((line) => [line.split(' ')[0], /\((\w+)\)$/.exec(line)?.[1]]),
    );
    expect([ended, revoked, good].map((serial) => marks.get(serial))).toEqual([
      ...['ended', 'revoked', undefined],
    ]);
    const json = JSON.parse((await cli.run('cert', '--list', '--json', ...DATA)).stdout);
    const listed = json.certificates.map((one: { serial: string; revoked: boolean }) => [
      ...[one.serial, one.revoked],
    ]);
    expect(new Map(listed)).toEqual(
      new Map([
        [ended, false],
        [revoked, true],
        [good, false],
      ]),
    );
  });
});
