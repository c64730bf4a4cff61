import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { Cli, MESH } from './cli.js';

const DATA = ['--data', '<dir>/data'] as const;

let cli: Cli;
beforeEach(() => {
  // The CAs below are openssl's, which knows no other time than the machine's; they have begun.
  cli = new Cli({ clock: new ManualClock(systemClock.now() + 300_000) });
});

/** Files of the orders that commands have left. */
const orders = (): readonly string[] =>
  existsSync(cli.path('data/orders')) ? readdirSync(cli.path('data/orders')) : [];

const openssl = (...args: string[]): string =>
  execFileSync('openssl', args, { cwd: cli.dir, encoding: 'utf8', stdio: 'pipe' });

/** A root as a company has it: RSA, ten years, no SPIFFE ID. */
function makeRoot(name: string, passphrase?: string): void {
  const key = passphrase === undefined ? ['-nodes'] : ['-passout', `pass:${passphrase}`];
  openssl(
    ...['req', '-x509', '-newkey', 'rsa:2048', '-days', '3650', '-subj', `/O=Shop/CN=${name}`],
    ...['-keyout', `${name}.key`, '-out', `${name}.pem`, ...key],
    ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  );
}

/** An issuing CA below it. */
function makeIssuer(name: string, root: string): void {
  const subject = ['-subj', `/O=Shop/CN=${name}`];
  openssl(
    ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-nodes'],
    ...['-keyout', `${name}.key`, '-out', `${name}.csr`, ...subject],
  );
  cli.write(
    'issuer.ext',
    'basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n' +
      'subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n',
  );
  openssl(
    ...['x509', '-req', '-in', `${name}.csr`, '-CA', `${root}.pem`, '-CAkey', `${root}.key`],
    ...['-CAcreateserial', '-days', '700', '-extfile', 'issuer.ext', '-out', `${name}.pem`],
  );
}

const importCa = (name: string, ...more: string[]) =>
  cli.run(
    ...['ca', 'import', '--cert', `<dir>/${name}.pem`, '--key', `<dir>/${name}.key`],
    ...[...more, ...DATA],
  );

describe('ca import', () => {
  test("before the first start: it is the mesh's CA from the beginning", async () => {
    makeRoot('corp');
    cli.write('mesh.yaml', MESH);
    expect(await importCa('corp', '--mesh', '<dir>/mesh.yaml')).toEqual({
      code: 0,
      stdout:
        'the CA of shop.example is now "O=Shop, CN=corp", in <dir>/data\n' +
        'the server renews its issuing CA by itself\n',
      stderr: 'made the data folder <dir>/data: start countersign serve with the same --data\n',
    });
    const { stdout } = await cli.run('ca', 'show', ...DATA);
    expect(stdout).toContain('subject      O=Shop, CN=corp\n');
    expect((await cli.run('ca', 'bundle', ...DATA)).stdout.trim()).toBe(
      readFileSync(cli.path('corp.pem'), 'utf8').trim(),
    );
  });

  test('a root of a plain `openssl req -x509` lacks keyCertSign: the hint mends it', async () => {
    cli.write('mesh.yaml', MESH);
    const make = (...more: string[]): string =>
      openssl(
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
        ...['-days', '30', '-subj', '/CN=plain', '-keyout', 'plain.key', '-out', 'plain.pem'],
        ...more,
      );
    make();
    const { code, stderr } = await importCa('plain', '--mesh', '<dir>/mesh.yaml');
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        'error: root: expected a key usage with keyCertSign but got none at all\n' +
        '  hint: make it again: openssl req -x509 -key <its key> -subj <its subject> -days 3650 ' +
        '-addext keyUsage=critical,keyCertSign,cRLSign; nothing was changed\n',
    });
    // The very command of the hint.
    const [, hint = ''] = /hint: make it again: openssl (.*); nothing/.exec(stderr) ?? [];
    const words = hint.replace('<its key>', 'plain.key').replace('<its subject>', '/CN=plain');
    openssl(...words.split(' '), '-out', 'plain.pem');
    expect((await importCa('plain', '--mesh', '<dir>/mesh.yaml')).code).toBe(0);
  });

  test('an intermediate with its chain, whose root key stays elsewhere', async () => {
    makeRoot('corp');
    makeIssuer('issuing', 'corp');
    cli.write('mesh.yaml', MESH);
    const chain = ['--chain', '<dir>/corp.pem', '--mesh', '<dir>/mesh.yaml'];
    const { code, stdout } = await importCa('issuing', ...chain);
    expect(code).toBe(0);
    expect(stdout).toMatch(/its issuing CA ends 20.*: import its successor before then\n$/);
    const stored = JSON.parse(readFileSync(cli.path('data/authority.json'), 'utf8'));
    expect(Object.keys(stored.root)).toEqual(['certificatePem']);
  });

  test('an encrypted key, and keys encrypted on the disk', async () => {
    makeRoot('corp', 'correct horse');
    cli.write('mesh.yaml', MESH);
    cli.write('phrase', 'correct horse\n');
    cli.write('disk-phrase', 'battery staple 12\n');
    const mesh = ['--mesh', '<dir>/mesh.yaml'];
    expect(await importCa('corp', ...mesh)).toMatchObject({
      code: 1,
      stderr:
        'error: the key is encrypted and no passphrase was given\n' +
        '  hint: give it with --passphrase-file, or in COUNTERSIGN_PASSPHRASE\n',
    });
    const own = ['--passphrase-file', '<dir>/phrase'];
    const disk = ['--ca-passphrase-file', '<dir>/disk-phrase'];
    expect((await importCa('corp', ...mesh, ...own, ...disk)).code).toBe(0);
    const stored = readFileSync(cli.path('data/authority.json'), 'utf8');
    expect(stored).not.toContain('BEGIN PRIVATE KEY');
    // What is public asks for no passphrase; earlier versions did, and took the option.
    for (const option of [[], disk]) {
      for (const what of ['show', 'bundle']) {
        const { code, stderr } = await cli.run('ca', what, ...option, ...DATA);
        expect({ what, code, stderr }).toEqual({ what, code: 0, stderr: '' });
      }
    }
    expect((await cli.run('ca', 'show', ...DATA)).stdout).toContain('O=Shop, CN=corp');
    const rotate = await cli.run('ca', 'rotate', ...DATA);
    expect(rotate.stderr).toContain('--ca-passphrase-file, or in COUNTERSIGN_CA_PASSPHRASE\n');
  });

  test('on a mesh that runs: it waits for the server; a second one is refused', async () => {
    await cli.prepareData();
    makeRoot('corp');
    makeRoot('other');
    const before = readFileSync(cli.path('data/authority.json'), 'utf8');
    expect(await importCa('corp')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(
        '"O=Shop, CN=corp" waits in <dir>/data for the server, which takes it over in stages\n' +
          'stored; no server has answered: start `countersign serve` there, or remove orders/',
      ),
    });
    const [order] = orders();
    expect(await importCa('other')).toMatchObject({
      code: 1,
      stderr:
        'error: expected no change of CA to wait in <dir>/data but there is one\n' +
        `  hint: the server takes it over when it runs; remove orders/${order} to withdraw it\n`,
    });
    expect(readFileSync(cli.path('data/authority.json'), 'utf8')).toBe(before);
  });

  test.each([
    [
      'the key of another',
      ['--cert', '<dir>/corp.pem', '--key', '<dir>/other.key'],
      'error: root: expected the private key of this certificate but got another\n',
    ],
    [
      'no such file',
      ['--cert', '<dir>/none.pem', '--key', '<dir>/other.key'],
      'error: --cert: expected a file to read at <dir>/none.pem but got ENOENT\n',
    ],
    [
      'a key for a certificate',
      ['--cert', '<dir>/corp.key', '--key', '<dir>/corp.key'],
      'error: expected certificates in PEM but got none\n',
    ],
  ])('refuses %s, and changes nothing', async (_name, argv, message) => {
    await cli.prepareData();
    makeRoot('corp');
    makeRoot('other');
    const { code, stderr } = await cli.run('ca', 'import', ...argv, ...DATA);
    expect(code).toBeGreaterThan(0);
    expect(stderr.startsWith(message)).toBe(true);
    expect(orders()).toEqual([]);
  });

  test('needs to know the trust domain', async () => {
    makeRoot('corp');
    expect(await importCa('corp')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('error: expected --mesh, since neither'),
    });
  });
});

describe('ca rotate', () => {
  test('leaves a new root for the server, once', async () => {
    await cli.prepareData();
    expect(await cli.run('ca', 'rotate', ...DATA)).toEqual({
      code: 0,
      stdout:
        'a new root waits for the server, which takes it over in stages\n' +
        'stored; no server has answered: start `countersign serve` there, ' +
        `or remove orders/${orders()[0]} to withdraw the order\n`,
      stderr: '',
    });
    expect((await cli.run('ca', 'rotate', ...DATA)).code).toBe(1);
  });

  test('--finish is refused where no root is being replaced', async () => {
    await cli.prepareData();
    expect(await cli.run('ca', 'rotate', '--finish', ...DATA)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: expected a new root that signs but no change of root is under way\n' +
        '  hint: see `countersign ca show`\n',
    });
  });
});
