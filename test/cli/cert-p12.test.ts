import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { Cli } from './cli.js';

const DATA = ['--data', '<dir>/data'] as const;
const ORDER = ['cert', 'payments/ledger', '--out', '<dir>/tls', ...DATA] as const;
const P12 = ['--p12', '<dir>/tls/ledger.p12'] as const;

let cli: Cli;
beforeEach(async () => {
  cli = new Cli();
  await cli.prepareData();
});

const mode = (name: string): number => statSync(cli.path(name)).mode & 0o777;
const readPem = (): string => readFileSync(cli.path('tls/cert.pem'), 'utf8');

/** The leaf in the file, as OpenSSL finds it. */
function leafOf(name: string, passwordFile: string): X509Certificate {
  const from = ['-in', cli.path(name), '-passin', `file:${cli.path(passwordFile)}`];
  const argv = ['pkcs12', ...from, '-nokeys', '-clcerts'];
  return new X509Certificate(
    execFileSync('openssl', argv, { stdio: ['ignore', 'pipe', 'ignore'] }),
  );
}

const serialOfPem = (): string => new X509Certificate(readPem()).serialNumber;

describe('cert --p12', () => {
  test('the same certificate under a password of its own, for its owner alone', async () => {
    const { code, stdout, stderr } = await cli.run(...ORDER, ...P12);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n').slice(0, 2)).toEqual([
      'wrote key.pem, cert.pem and bundle.pem to <dir>/tls',
      'wrote <dir>/tls/ledger.p12, whose password is in <dir>/tls/ledger.p12.password',
    ]);
    expect(leafOf('tls/ledger.p12', 'tls/ledger.p12.password').serialNumber).toBe(serialOfPem());
    expect([mode('tls/ledger.p12'), mode('tls/ledger.p12.password')]).toEqual([0o600, 0o600]);
    const password = readFileSync(cli.path('tls/ledger.p12.password'), 'utf8');
    expect(password).toMatch(/^[\w-]{32}\n$/);
    expect(stdout).not.toContain(password.trim());
  });

  test('the password that was made is kept; a file of one goes before it', async () => {
    await cli.run(...ORDER, ...P12);
    const made = readFileSync(cli.path('tls/ledger.p12.password'), 'utf8');
    const first = serialOfPem();
    await cli.run(...ORDER, ...P12);
    expect(readFileSync(cli.path('tls/ledger.p12.password'), 'utf8')).toBe(made);
    expect(serialOfPem()).not.toBe(first);
    expect(leafOf('tls/ledger.p12', 'tls/ledger.p12.password').serialNumber).toBe(serialOfPem());
    cli.write('password', 'correct horse battery\nanother line\n');
    const given = ['--p12-password-file', '<dir>/password'];
    const { stdout } = await cli.run(...ORDER, ...P12, ...given, '--json');
    expect(JSON.parse(stdout).certificate).toMatchObject({
      p12: '<dir>/tls/ledger.p12',
      p12PasswordFile: '<dir>/password',
    });
    expect(leafOf('tls/ledger.p12', 'password').serialNumber).toBe(serialOfPem());
  });

  test('--watch renews it with the others; a reader never sees half of one', async () => {
    const running = cli.start(...ORDER, ...P12, '--watch', '--ttl', '10s');
    await running.until(() => cli.clock.pending > 0);
    const [first, inode] = [serialOfPem(), statSync(cli.path('tls/ledger.p12')).ino];
    cli.clock.advance(5_000);
    await running.until(() => cli.clock.pending > 0);
    expect(serialOfPem()).not.toBe(first);
    expect(leafOf('tls/ledger.p12', 'tls/ledger.p12.password').serialNumber).toBe(serialOfPem());
    // Replaced by a rename, not written over.
    expect(statSync(cli.path('tls/ledger.p12')).ino).not.toBe(inode);
    running.stop();
    expect(await running.done).toMatchObject({ code: 0, stderr: '' });
  });

  test('what is refused leaves nothing behind', async () => {
    const { code } = await cli.run('cert', 'wep', '--out', '<dir>/tls', ...P12, ...DATA);
    expect(code).toBe(1);
    expect(existsSync(cli.path('tls'))).toBe(false);
  });

  test.each<[name: string, argv: readonly string[], refusal: string]>([
    [
      'a password file alone',
      [...ORDER, '--p12-password-file', '<dir>/password'],
      'expected --p12 with --p12-password-file',
    ],
    [
      'a short password',
      [...ORDER, ...P12, '--p12-password-file', '<dir>/short'],
      'expected a passphrase of at least 12 characters but got a shorter one',
    ],
    [
      'a password that Java refuses',
      [...ORDER, ...P12, '--p12-password-file', '<dir>/umlauts'],
      '--p12-password-file: expected a password of printable ASCII in <dir>/umlauts',
    ],
    [
      'no password file',
      [...ORDER, ...P12, '--p12-password-file', '<dir>/none'],
      '--p12-password-file: expected a file to read at <dir>/none but got ENOENT',
    ],
    [
      'the place of the key',
      [...ORDER, '--p12', '<dir>/tls/../tls/key.pem'],
      '--p12: expected a file of its own but got <dir>/tls/../tls/key.pem',
    ],
    ['--list', ['cert', '--list', ...P12, ...DATA], 'expected --list without --p12'],
    [
      '--renew',
      ['cert', 'web', '--renew', ...P12, ...DATA],
      'expected a service alone with --renew',
    ],
  ])('used wrongly: %s', async (_name, argv, refusal) => {
    writeFileSync(cli.path('short'), 'changeit');
    writeFileSync(cli.path('umlauts'), 'äöüäöüäöüäöü');
    const { code, stdout, stderr } = await cli.run(...argv);
    expect({ code, stdout, refusal: stderr.split('\n')[0] }).toEqual({
      ...{ code: 2, stdout: '', refusal: `error: ${refusal}` },
    });
    expect(existsSync(cli.path('tls'))).toBe(false);
  });
});
