import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { Cli } from './cli.js';

const DATA = ['--data', '<dir>/data'] as const;

let cli: Cli;
beforeEach(() => {
  cli = new Cli();
});

const mode = (name: string): number => statSync(cli.path(name)).mode & 0o777;

describe('cert', () => {
  const order = ['cert', 'payments/ledger', '--out', '<dir>/tls', ...DATA];
  const read = (name: string): string => readFileSync(cli.path(`tls/${name}`), 'utf8');

  test('key, chain and bundle that openssl accepts; recorded and listed', async () => {
    await cli.prepareData();
    const { code, stdout, stderr } = await cli.run(...order);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const leaf = new X509Certificate(read('cert.pem'));
    const serial = leaf.serialNumber.toLowerCase();
    const spiffeId = 'spiffe://shop.example/ns/payments/sa/ledger';
    expect(stdout).toBe(
      'wrote key.pem, cert.pem and bundle.pem to <dir>/tls\n' +
        `${spiffeId} serial ${serial}, ends 2026-01-02T00:00:00.000Z\n`,
    );
    expect(leaf.subjectAltName).toBe(
      `URI:${spiffeId}, DNS:ledger.payments, DNS:ledger.payments.mesh`,
    );
    expect([mode('tls/key.pem'), mode('tls/cert.pem'), mode('tls/bundle.pem')]).toEqual([
      0o600, 0o644, 0o644,
    ]);
    const atTime = ['-attime', String(cli.clock.now() / 1000)];
    const chain = ['-CAfile', cli.path('tls/bundle.pem'), '-untrusted', cli.path('tls/cert.pem')];
    const argv = ['verify', ...atTime, ...chain, cli.path('tls/cert.pem')];
    expect(execFileSync('openssl', argv, { encoding: 'utf8' })).toMatch(/OK\n$/);
    expect(readdirSync(cli.path('data/handed-out'))).toEqual([`${serial}.json`]);
    expect(await cli.run('cert', '--list', ...DATA)).toEqual({
      code: 0,
      stderr: '',
      stdout: [
        `${'SERIAL'.padEnd(serial.length)}  SERVICE          `,
        `${'SPIFFE ID'.padEnd(spiffeId.length)}  ENDS\n`,
        `${serial}  payments/ledger  ${spiffeId}  2026-01-02T00:00:00.000Z\n`,
      ].join(''),
    });
  });

  test('--list says what has ended, and forgets it a day later', async () => {
    await cli.prepareData();
    expect(await cli.run('cert', '--list', ...DATA)).toMatchObject({
      stdout: 'no certificates have been handed out\n',
    });
    await cli.run(...order, '--ttl', '1h');
    cli.clock.jump(3_600_000);
    const { stdout } = await cli.run('cert', '--list', ...DATA);
    expect(stdout).toMatch(/2026-01-01T01:00:00\.000Z \(ended\)\n$/);
    await cli.run(...order);
    cli.clock.jump(24 * 3_600_000 + 1);
    await cli.run(...order);
    const json = JSON.parse((await cli.run('cert', '--list', '--json', ...DATA)).stdout);
    expect(json.certificates).toMatchObject([
      { service: 'payments/ledger', ended: false },
      { service: 'payments/ledger', ended: true },
    ]);
  });

  test('--json says what was issued', async () => {
    await cli.prepareData();
    const { code, stdout, stderr } = await cli.run(...order, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const leaf = new X509Certificate(read('cert.pem'));
    expect(JSON.parse(stdout)).toEqual({
      certificate: {
        serial: leaf.serialNumber.toLowerCase(),
        service: 'payments/ledger',
        spiffeId: 'spiffe://shop.example/ns/payments/sa/ledger',
        notAfter: '2026-01-02T00:00:00.000Z',
        out: '<dir>/tls',
      },
    });
  });

  test('a record is durable before any file is written', async () => {
    await cli.prepareData();
    cli.write('tls', 'a file in the way');
    const { code, stderr } = await cli.run(...order);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: expected to write <dir>\/tls\/bundle\.pem but <dir>\/tls is /);
    expect(readdirSync(cli.path('data/handed-out'))).toHaveLength(1);
  });

  test('--watch renews at half of the life, survives a failure, ends by a signal', async () => {
    await cli.prepareData();
    const wrote = /wrote key\.pem/g;
    const running = cli.start(...order, '--watch', '--ttl', '10s');
    const untilPaused = (): Promise<void> => running.until(() => cli.clock.pending > 0);
    await running.until(({ stdout }) => stdout().includes('ends 2026'));
    await untilPaused();
    const first = read('cert.pem');
    cli.clock.advance(4_999);
    expect(read('cert.pem')).toBe(first);
    cli.clock.advance(1);
    await untilPaused();
    const second = read('cert.pem');
    expect(second).not.toBe(first);

    const stored = readFileSync(cli.path('data/mesh.json'));
    writeFileSync(cli.path('data/mesh.json'), 'broken');
    cli.clock.advance(5_000);
    await running.until(({ stderr }) => stderr().includes('mesh.json'));
    await untilPaused();
    expect(read('cert.pem')).toBe(second);
    writeFileSync(cli.path('data/mesh.json'), stored);
    cli.clock.advance(5_000);
    await untilPaused();
    expect(read('cert.pem')).not.toBe(second);

    running.stop();
    const { code, stdout } = await running.done;
    expect(code).toBe(0);
    expect(stdout.match(wrote)).toHaveLength(3);
    expect(cli.clock.pending).toBe(0);
  });
});

describe('cert --renew', () => {
  test('without a server leaves the order, and the answer is no', async () => {
    await cli.prepareData();
    expect(await cli.run('cert', 'web', '--renew', '--instance', 'a', ...DATA)).toEqual({
      code: 3,
      stdout: '',
      stderr:
        'error: no server has seen this order: no server runs on <dir>/data\n' +
        '  hint: nothing more to do: the order stays, and is carried out when a server runs, ' +
        'until 2026-01-02T00:00:00.000Z\n',
    });
    expect(readdirSync(cli.path('data/orders'))).toHaveLength(1);
  });

  test.each([
    ['without a service', ['--renew'], 2],
    ['with --out', ['web', '--renew', '--out', '<dir>/tls'], 2],
    ['of a service that is not declared', ['wbe', '--renew'], 1],
    ['an instance without --renew', ['web', '--instance', 'a', '--out', '<dir>/tls'], 2],
  ])('is refused %s', async (_name, argv, code) => {
    await cli.prepareData();
    expect((await cli.run('cert', ...argv, ...DATA)).code).toBe(code);
    expect(existsSync(cli.path('data/orders'))).toBe(false);
  });
});
