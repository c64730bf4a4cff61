import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ServerStatus } from '../../src/server/status/index.js';
import { startFakeAdmin } from '../fakes/admin-server.js';
import { fakeStatus } from '../fakes/fake-status.js';
import { Cli } from './cli.js';

const DATA = ['--data', '<dir>/data'] as const;
/** Nobody listens there. */
const NOBODY = ['--server', '127.0.0.1:1'] as const;
const ALONE = 'stored; no server runs on this data folder: it takes effect when one starts\n';
const SINCE = '2026-01-01T00:00:00.000Z';

let cli: Cli;
beforeEach(async () => {
  cli = new Cli();
  await cli.prepareData();
});

const revoke = (...args: string[]) => cli.run('revoke', ...args, ...DATA, ...NOBODY);
/** Of those in force. */
const files = (): string[] =>
  readdirSync(cli.path('data/revocations')).filter((name) => !name.includes('.undone.'));
const statusWith = (
  revocations: ServerStatus['revocations'],
  proxies: ServerStatus['proxies'] = [],
  now = SINCE,
): ServerStatus => fakeStatus({ now, proxies, revocations });

/** A server that answers `wait` as one that is done, and this status. */
const server = (status: ServerStatus) =>
  startFakeAdmin((path) => ({
    body: path.startsWith('/v1/wait') ? { inForce: true, version: 'v' } : status,
  }));

describe('revoke', () => {
  test('is stored, listed and taken back, without a server', async () => {
    expect(await revoke('payments/ledger')).toEqual({
      code: 0,
      stdout: `revoked: service "payments/ledger"\n${ALONE}`,
      stderr: '',
    });
    cli.clock.advance(60_000);
    expect(await revoke('payments/ledger')).toEqual({
      code: 0,
      stdout: `already revoked: service "payments/ledger"\n${ALONE}`,
      stderr: '',
    });
    expect(files()).toHaveLength(1);
    expect(await cli.run('revoke', '--list', ...DATA)).toEqual({
      code: 0,
      stdout: `KIND     SUBJECT          SINCE\nservice  payments/ledger  ${SINCE}\n`,
      stderr: '',
    });
    const { stdout } = await cli.run('revoke', '--list', '--json', ...DATA);
    const listed = { kind: 'service', subject: 'payments/ledger', revokedAt: SINCE };
    expect(JSON.parse(stdout)).toEqual({ revocations: [listed] });
    expect(await revoke('payments/ledger', '--undo')).toEqual({
      code: 0,
      stdout: `no longer revoked: service "payments/ledger"\n${ALONE}`,
      stderr: '',
    });
    expect(files()).toEqual([]);
    expect(await cli.run('revoke', '--list', ...DATA)).toMatchObject({
      stdout: 'nothing is revoked\n',
    });
  });

  test('a service gets no certificate while it is revoked', async () => {
    await revoke('payments/ledger');
    const order = ['cert', 'payments/ledger', '--out', '<dir>/tls', ...DATA];
    expect(await cli.run(...order)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        `error: service "payments/ledger" is revoked since ${SINCE}\n` +
        '  hint: see `countersign revoke --list`; --undo takes a revocation back\n',
    });
    await revoke('payments/ledger', '--undo');
    expect((await cli.run(...order)).code).toBe(0);
  });

  test('a serial in any spelling is one serial', async () => {
    await cli.run('cert', 'payments/ledger', '--out', '<dir>/tls', ...DATA);
    const { certificates } = JSON.parse(
      (await cli.run('cert', '--list', '--json', ...DATA)).stdout,
    ) as { certificates: { serial: string }[] };
    const serial = certificates[0]?.serial ?? '';
    const colons = serial.toUpperCase().match(/../g)?.join(':') ?? '';
    expect(await revoke('--serial', colons)).toEqual({
      code: 0,
      stdout: `revoked: the certificate with serial "${serial}"\n${ALONE}`,
      stderr: '',
    });
    expect(await revoke('--serial', `00${serial}`)).toMatchObject({
      stdout: expect.stringContaining('already revoked'),
    });
    expect(await revoke('--serial', `0x${serial}`, '--undo')).toMatchObject({ code: 0 });
    expect(files()).toEqual([]);
  });

  test('a serial that nobody knows, and a token, with what that means', async () => {
    expect(await revoke('--serial', 'AB', '--yes')).toMatchObject({
      code: 0,
      stderr:
        'warning: no unexpired certificate with serial ab is known: it is refused all the same, ' +
        'but connections that are already open with it are not ended\n',
    });
    expect(await revoke('--token', 'f00dfeed', '--yes')).toMatchObject({
      code: 0,
      stdout: `revoked: the token with id "f00dfeed"\n${ALONE}`,
      stderr:
        'warning: sidecars that joined with it keep their certificates: revoke the instance or ' +
        'service too\n',
    });
    expect(files()).toHaveLength(2);
  });

  test('a token names the certificates that were got by it', async () => {
    await cli.run('cert', 'payments/ledger', '--out', '<dir>/tls', ...DATA);
    const [file = ''] = readdirSync(cli.path('data/handed-out'));
    const path = cli.path(`data/handed-out/${file}`);
    const record = JSON.parse(readFileSync(path, 'utf8')) as object;
    writeFileSync(path, JSON.stringify({ ...record, credential: { kind: 'token', id: 'f00d' } }));
    expect((await revoke('--token', 'f00d')).stderr).toContain(
      'warning: a certificate was obtained with it: ' +
        `countersign revoke --serial ${file.replace('.json', '')}\n`,
    );
    expect((await revoke('--token', 'feed', '--yes')).stderr).not.toContain('--serial');
  });

  test('services that share an identity are named', async () => {
    const text = `trustDomain: shop.example
services:
  one: { serviceAccount: shared }
  two: { serviceAccount: shared }
`;
    writeFileSync(cli.path('data/mesh.json'), JSON.stringify([{ path: 'mesh.yaml', text }]));
    expect((await revoke('one')).stderr).toBe(
      'warning: "two" has the same identity (serviceAccount), and is refused as a caller too\n',
    );
  });

  test.each([
    [['payments/ledgr'], 'no service "payments/ledgr" is declared', 'did you mean'],
    [
      ['payments/ledger', '--instance', 'one'],
      'no instance "one" of "payments/ledger" has a certificate',
      'revoke its token with --token',
    ],
  ])('what nobody knows is refused: %j', async (args, message, hint) => {
    const { code, stdout, stderr } = await revoke(...args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
    expect(await cli.run('revoke', '--list', ...DATA)).toMatchObject({
      stdout: 'nothing is revoked\n',
    });
  });

  test.each([
    [[], 'expected one of a service, --serial, --token and --list'],
    [['--undo'], 'expected one of a service'],
    [
      ['web', '--list'],
      'expected one of a service, --serial, --token and --list but got a service and --list',
    ],
    [['web', '--serial', '0a'], 'expected one of a service'],
    [['--serial', '0a', '--token', 'b'], 'expected one of a service'],
    [['--list', '--undo'], 'expected --undo without --list'],
    [['--instance', 'one'], 'expected --instance with a service'],
    [['--serial', '0a', '--instance', 'one'], 'expected --instance with a service'],
    [['--serial', 'xyz'], '--serial: expected a serial in hex but got "xyz"'],
    [['--token', 'aGk.aGk.aGk'], "--token: expected a token's id"],
    [['Web'], '<service>: expected a service name'],
  ])('used wrongly: %j', async (args, message) => {
    const { code, stderr } = await revoke(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  test('taking back what is not revoked changes nothing', async () => {
    expect(await revoke('payments/ledger', '--undo')).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: expected a revocation of service "payments/ledger" but there is none\n' +
        '  hint: see `countersign revoke --list`\n',
    });
  });

  test('a damaged revocation is an error that names its file', async () => {
    await revoke('payments/ledger');
    const [file = ''] = files();
    writeFileSync(cli.path(`data/revocations/${file}`), 'x');
    const { code, stderr } = await cli.run('revoke', '--list', ...DATA);
    expect(code).toBe(1);
    expect(stderr).toContain(`data/revocations/${file}`);
  });
});

const entry = (inForce: number): ServerStatus['revocations'][number] => ({
  kind: 'service',
  subject: 'payments/ledger',
  revokedAt: SINCE,
  proxies: { inForce, of: 2 },
  certificates: [],
});
const beside = (address: string, ...args: string[]) =>
  cli.run('revoke', ...args, ...DATA, '--server', address);

describe('revoke beside a server', () => {
  test('says how far it is', async () => {
    const { address, asked } = await server(statusWith([entry(2)]));
    expect(await beside(address, 'payments/ledger')).toEqual({
      code: 0,
      stdout:
        'revoked: service "payments/ledger"\n' +
        'in force on 2 of 2 proxies\n' +
        "open connections end within their Envoy's drain time (600 s, or its --drain-time-s)\n",
      stderr: '',
    });
    expect(asked).toEqual(['/v1/wait?timeout_ms=3000', '/v1/status']);
    expect(await beside(address, 'payments/ledger', '--json')).toMatchObject({
      stdout: `${JSON.stringify(
        {
          revocation: { kind: 'service', subject: 'payments/ledger', revokedAt: SINCE },
          server: { known: true, inForce: 2, of: 2 },
        },
        undefined,
        2,
      )}\n`,
    });
  });

  test('says that some have yet to follow', async () => {
    const { address } = await server(statusWith([entry(1)]));
    const { stdout } = await beside(address, 'payments/ledger');
    expect(stdout).toContain(
      'in force on 1 of 2 proxies\nthe others follow: see `countersign wait`\n',
    );
  });
});

describe('revoke beside a server that disagrees', () => {
  test('a server that does not know of it is another one: exit code 1', async () => {
    const { address } = await server(statusWith([]));
    const { code, stderr } = await beside(address, 'payments/ledger');
    expect(code).toBe(1);
    expect(stderr).toContain("to know of it but it doesn't\n  hint: name the server of this data");
    expect(files()).toHaveLength(1);
  });

  test('a server that still refuses what was taken back is another one: exit code 1', async () => {
    await revoke('payments/ledger');
    const { address } = await server(statusWith([entry(2)]));
    const { code, stdout, stderr } = await beside(address, 'payments/ledger', '--undo');
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: expect.stringMatching(/^no longer revoked: /),
    });
    expect(stderr).toMatch(/^error: expected the server at \S+ to have taken it back too but /);
    expect(files()).toEqual([]);
  });

  test('an admin port that refuses to answer: what is stored is said first', async () => {
    const { address } = await startFakeAdmin(() => ({ status: 401, body: { error: 'no' } }));
    const stderr =
      'error: the server refuses: no\n' +
      '  hint: give one with --admin-token-file: `countersign token --admin` makes it\n';
    expect(await beside(address, 'payments/ledger')).toEqual({
      code: 1,
      stdout: `revoked: service "payments/ledger"\n${ALONE}`,
      stderr,
    });
    expect(await beside(address, 'payments/ledger', '--undo')).toEqual({
      code: 1,
      stdout: `no longer revoked: service "payments/ledger"\n${ALONE}`,
      stderr,
    });
  });

  test('status shows it', async () => {
    const { address } = await server(statusWith([entry(1)], [], '2026-01-01T00:01:30.000Z'));
    cli.clock.advance(90_000);
    const { stdout } = await cli.run('status', '--server', address);
    expect(stdout).toContain(
      'revoked service payments/ledger, 90s ago: in force on 1 of 2 proxies\n',
    );
  });
});
