import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openDataDir } from '../../src/data/index.js';
import { createTokenKeys } from '../../src/tokens/index.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { Cli } from './cli.js';

const DATA = ['--data', '<dir>/data'] as const;

let cli: Cli;
beforeEach(async () => {
  cli = new Cli();
  await cli.makeData();
});

async function verify(token: string, audience: 'countersign-xds' | 'countersign-admin') {
  const random = seededRandom('verify');
  const dataDir = await openDataDir({ path: cli.path('data'), lock: false, random });
  return (await createTokenKeys({ dataDir, clock: cli.clock, random })).verify(token, { audience });
}

const mode = (name: string): number => statSync(cli.path(name)).mode & 0o777;

describe('token', () => {
  test('of a service and instance: alone on stdout, id and end on stderr', async () => {
    const argv = ['token', 'payments/ledger', '--instance', 'a', '--ttl', '1h', ...DATA];
    const { code, stdout, stderr } = await cli.run(...argv);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const verified = await verify(stdout.trim(), 'countersign-xds');
    expect(verified).toMatchObject({ subject: 'payments/ledger', instance: 'a' });
    expect(stderr).toBe(
      `token ${verified.id} for payments/ledger~a, expires 2026-01-01T01:00:00.000Z\n`,
    );
  });

  test('the default lifetime is a year; default/web is web', async () => {
    const { stdout, stderr } = await cli.run('token', 'default/web', ...DATA);
    expect(await verify(stdout.trim(), 'countersign-xds')).toMatchObject({ subject: 'web' });
    expect(stderr).toMatch(/ for web, expires 2027-01-01T00:00:00\.000Z\n$/);
  });

  test('for a service that the mesh in force lacks: made, with a warning', async () => {
    await cli.prepareData();
    const told =
      'warning: the mesh in force declares no service "wep" (did you mean "web"?)\n' +
      '  hint: its sidecar is refused until mesh.yaml declares it\n';
    const commands = ['token', 'bootstrap'];
    for (const command of commands) {
      const { code, stdout, stderr } = await cli.run(command, 'wep', ...DATA);
      expect(code).toBe(0);
      expect(stdout).not.toBe('');
      expect(stderr.slice(0, told.length)).toBe(told);
      const address = command === 'bootstrap' ? ['--address', '127.1.0.1'] : [];
      const { stderr: known } = await cli.run(command, 'web', ...address, ...DATA);
      expect(known).not.toContain('warning');
    }
    expect(commands).not.toEqual([]);
  });

  test('beside COUNTERSIGN_MESH where --data is not given', async () => {
    vi.stubEnv('COUNTERSIGN_MESH', cli.path('mesh.yaml'));
    onTestFinished(() => void vi.unstubAllEnvs());
    await cli.makeData('.countersign');
    const { code, stdout } = await cli.run('token', 'web');
    expect(code).toBe(0);
    const dataDir = await openDataDir({ path: cli.path('.countersign'), lock: false });
    const keys = await createTokenKeys({ dataDir, ...cli, random: seededRandom('verify') });
    expect(keys.verify(stdout.trim(), { audience: 'countersign-xds' }).subject).toBe('web');
  });

  test('for the admin port', async () => {
    const { code, stdout, stderr } = await cli.run('token', '--admin', ...DATA);
    expect(code).toBe(0);
    expect(await verify(stdout.trim(), 'countersign-admin')).toMatchObject({ subject: 'admin' });
    await expect(verify(stdout.trim(), 'countersign-xds')).rejects.toThrow(/expected a token for/);
    expect(stderr).toMatch(/^token [0-9a-f]+ for admin, expires /);
  });

  test('a damaged key file is left alone', async () => {
    cli.write('data/token-keys.json', 'broken');
    expect(await cli.run('token', 'web', ...DATA)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: <dir>/data/token-keys.json: expected JSON but got other content\n' +
        '  hint: restore this file from a backup; nothing was overwritten. ' +
        'Without one, `countersign serve --new-token-keys` goes on with a new one\n',
    });
    expect(readFileSync(cli.path('data/token-keys.json'), 'utf8')).toBe('broken');
  });
});

// Only `serve` and `ca import` begin a mesh: what is signed by a new key elsewhere is good for
// nothing, and the folder's CA would be another mesh's.
describe('a wrong folder gets no new CA, keys or anchor in passing', () => {
  const commands: readonly (readonly string[])[] = [
    ['token', 'web'],
    ['token', '--admin'],
    ['token', '--rotate-key'],
    ['token', '--list-keys'],
    ['bootstrap', 'web'],
    ['bootstrap', 'web', '--out', '<dir>/out'],
    ['cert', 'web', '--out', '<dir>/out'],
    ['cert', '--list'],
    ['ca', 'show'],
    ['ca', 'bundle'],
    ['ca', 'bundle', '--xds'],
    ['ca', 'rotate'],
    ['revoke', 'web'],
    ['revoke', '--list'],
  ];

  test.each(commands)('%s %s %s %s', async (...words) => {
    mkdirSync(cli.path('empty'), { mode: 0o755 });
    chmodSync(cli.path('empty'), 0o755);
    for (const [name, got] of [
      ['none', 'there is none'],
      ['empty', 'it is empty'],
    ] as const) {
      const argv = words.filter((word) => word !== undefined);
      expect(await cli.run(...argv, '--data', `<dir>/${name}`)).toEqual({
        code: 1,
        stdout: '',
        stderr:
          `error: expected a data folder at <dir>/${name} but ${got}\n` +
          '  hint: start `countersign serve` once with the same --data, or name the folder with ' +
          '--data\n',
      });
    }
    expect(readdirSync(cli.dir).sort()).toEqual(['data', 'empty']);
    expect(readdirSync(cli.path('empty'))).toEqual([]);
    expect(mode('empty')).toBe(0o755);
  });
});

describe('bootstrap', () => {
  test('with an inline token, before any server has started', async () => {
    const argv = ['bootstrap', 'web', '--xds', 'cp:18000', '--envoy-admin-port', '9901', ...DATA];
    const { code, stdout, stderr } = await cli.run(...argv);
    expect(code).toBe(0);
    const json = JSON.parse(stdout);
    expect(json.node).toEqual({ id: 'web', cluster: 'web', metadata: { countersign: {} } });
    expect(json.admin).toEqual({
      address: { socket_address: { address: '127.0.0.1', port_value: 9901 } },
    });
    const metadata = json.dynamic_resources.ads_config.grpc_services[0].initial_metadata;
    expect(metadata).toEqual([{ key: 'authorization', value: expect.stringMatching(/^Bearer /) }]);
    expect(json).not.toHaveProperty('hds_config');
    expect(json).toHaveProperty('stats_sinks');
    const older = await cli.run(...argv, '--no-statistics');
    expect(JSON.parse(older.stdout)).not.toHaveProperty('stats_sinks');
    const token = metadata[0].value.slice('Bearer '.length);
    const { id } = await verify(token, 'countersign-xds');
    expect(stderr).toBe(
      `token ${id} for web, expires 2027-01-01T00:00:00.000Z\n` +
        'run: envoy -c <file> --drain-time-s 600 --drain-strategy immediate ' +
        '--disable-hot-restart\n',
    );
    const [cluster] = json.static_resources.clusters;
    expect(cluster).toMatchObject({ name: 'countersign-xds', type: 'STRICT_DNS' });
    const tls = cluster.transport_socket.typed_config;
    expect(tls.sni).toBe('xds.countersign.internal');
    const again = JSON.parse((await cli.run('bootstrap', 'web', ...DATA)).stdout);
    const pinned = tls.common_tls_context.validation_context.trusted_ca;
    expect(pinned.inline_string).toMatch(/^-----BEGIN CERTIFICATE-----/);
    expect(
      again.static_resources.clusters[0].transport_socket.typed_config.common_tls_context
        .validation_context.trusted_ca,
    ).toEqual(pinned);
  });

  test('says who and where the node is', async () => {
    const where = ['--address', '10.0.0.3', '--outbound', '127.65.3.0/24'];
    const argv = ['bootstrap', 'payments/ledger', '--instance', 'a', ...where, ...DATA];
    const { stdout } = await cli.run(...argv);
    const json = JSON.parse(stdout);
    expect(json.node).toEqual({
      id: 'payments/ledger~a',
      cluster: 'payments/ledger',
      metadata: { countersign: { address: '10.0.0.3', outbound: '127.65.3.0/24' } },
    });
    const [{ value }] = json.dynamic_resources.ads_config.grpc_services[0].initial_metadata;
    const verified = await verify(value.slice('Bearer '.length), 'countersign-xds');
    expect(verified).toMatchObject({ subject: 'payments/ledger', instance: 'a' });
  });

  test('--token-file makes a token and an SDS file; the token is nowhere else', async () => {
    const argv = ['bootstrap', 'web', '--token-file', '<dir>/web.token', ...DATA];
    const { code, stdout, stderr } = await cli.run(...argv);
    expect(code).toBe(0);
    const token = readFileSync(cli.path('web.token'), 'utf8').trim();
    const { id } = await verify(token, 'countersign-xds');
    expect(stdout).not.toContain(token);
    expect(JSON.parse(readFileSync(cli.path('web.token.sds.json'), 'utf8'))).toEqual({
      resources: [
        {
          '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
          name: 'countersign-token',
          generic_secret: { secret: { filename: cli.path('web.token') } },
        },
      ],
    });
    expect(stdout).toContain('"path": "<dir>/web.token.sds.json"');
    expect([mode('web.token'), mode('web.token.sds.json')]).toEqual([0o600, 0o600]);
    expect(stderr).toBe(
      `token ${id} for web, expires 2027-01-01T00:00:00.000Z, in <dir>/web.token\n` +
        'run: envoy -c <file> --drain-time-s 600 --drain-strategy immediate ' +
        '--disable-hot-restart\n' +
        'keep <dir>/web.token.sds.json beside it: Envoy finds the token by it, at that path; to ' +
        'move both, use --out\n' +
        'renew the token: (umask 077; countersign token web --data <dir>/data ' +
        '> <dir>/web.token.new) && mv <dir>/web.token.new <dir>/web.token\n',
    );
    const files = readdirSync(cli.dir).sort();
    expect(files).toEqual(['data', 'web.token', 'web.token.sds.json']);
  });

  test('the renewal that it prints makes the same kind of token, in any shell', async () => {
    await cli.makeData("a b's/data");
    const argv = ['bootstrap', 'web', '--instance', 'one', '--token-file', "<dir>/a b's/web.token"];
    const { stderr } = await cli.run(...argv, '--data', "<dir>/a b's/data");
    const [, command = ''] = /^renew the token: (.*)$/m.exec(stderr) ?? [];
    // A stand-in for the command, which says how the shell gave it its words.
    const script = `countersign() { printf '%s\\n' "$@"; }; ${command}`;
    execFileSync('sh', ['-c', script.replaceAll('<dir>', cli.dir)]);
    expect(readFileSync(cli.path("a b's/web.token"), 'utf8').trim().split('\n')).toEqual([
      ...['token', 'web', '--instance', 'one', '--data'],
      cli.path("a b's/data"),
    ]);
  });

  test('a token file that is there is used as it is', async () => {
    const { stdout: token } = await cli.run('token', 'web', ...DATA);
    cli.write('web.token', token);
    const argv = ['bootstrap', 'web', '--token-file', '<dir>/web.token', ...DATA];
    const { code, stderr } = await cli.run(...argv);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^run: /);
    expect(readFileSync(cli.path('web.token'), 'utf8')).toBe(token);
  });

  test("another service's token file is refused", async () => {
    const { stdout: token } = await cli.run('token', 'web', ...DATA);
    cli.write('a.token', token);
    const argv = ['bootstrap', 'payments/ledger', '--token-file', '<dir>/a.token', ...DATA];
    expect(await cli.run(...argv)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: expected a token for "payments/ledger" in <dir>/a.token but got one for "web"\n' +
        '  hint: name another file: each service has a token of its own\n',
    });
  });

  test('an ended token is only warned about: mv renews it', async () => {
    const { stdout: token } = await cli.run('token', 'web', '--ttl', '1s', ...DATA);
    cli.write('web.token', token);
    cli.clock.jump(3_600_000);
    const argv = ['bootstrap', 'web', '--token-file', '<dir>/web.token', ...DATA];
    const { code, stderr } = await cli.run(...argv);
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^warning: <dir>\/web\.token: expected a token in force but it ended 2026-01-01T00:00:01/,
    );
    expect(stderr).not.toContain(token.trim());
  });
});

describe('ca', () => {
  test('bundle: the root and nothing else', async () => {
    await cli.prepareData();
    const { code, stdout, stderr } = await cli.run('ca', 'bundle', ...DATA);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const root = new X509Certificate(stdout);
    expect(root.ca && root.checkIssued(root)).toBe(true);
    expect(stdout.match(/BEGIN/g)).toHaveLength(1);
  });

  test('show, as text and JSON', async () => {
    await cli.prepareData();
    const json = JSON.parse((await cli.run('ca', 'show', '--json', ...DATA)).stdout);
    const root = new X509Certificate((await cli.run('ca', 'bundle', ...DATA)).stdout);
    expect(json).toMatchObject({
      trustDomain: 'shop.example',
      authorities: [
        {
          kind: 'root',
          serial: root.serialNumber.toLowerCase(),
          notAfter: new Date(root.validTo).toISOString(),
          keyType: 'ec prime256v1',
          fingerprintSha256: root.fingerprint256.replaceAll(':', '').toLowerCase(),
        },
        { kind: 'intermediate', keyType: 'ec prime256v1' },
        { kind: 'xds-anchor', keyType: 'ec prime256v1' },
      ],
    });
    const { code, stdout, stderr } = await cli.run('ca', 'show', ...DATA);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^trust domain shop\.example\n\nroot, which everybody/);
    for (const { serial, subject, notBefore, notAfter, fingerprintSha256 } of json.authorities) {
      for (const text of [serial, subject, notBefore, notAfter, fingerprintSha256]) {
        expect(stdout).toContain(text);
      }
    }
    expect(stdout).not.toContain('PRIVATE KEY');
  });
});
