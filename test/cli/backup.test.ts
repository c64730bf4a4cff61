import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { loadAuthority, loadOrCreateAuthority } from '../../src/ca/index.js';
import { openDataDir } from '../../src/data/index.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { Cli } from './cli.js';

const DATA = ['--data', '<dir>/data'] as const;
const SECRET = 'correct horse battery';
const WITH = ['--passphrase-file', '<dir>/passphrase'] as const;
const BACKUP = ['backup', '<dir>/safe/mesh.backup', ...WITH, ...DATA] as const;
const RESTORE = ['restore', '<dir>/safe/mesh.backup', ...WITH, '--data'] as const;

let cli: Cli;
beforeEach(() => {
  cli = new Cli();
  cli.write('passphrase', `${SECRET}\n`);
});

/** Every file of a folder, by its name. */
function contents(folder: string): Record<string, string> {
  const names = readdirSync(cli.path(folder), { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => statSync(join(cli.path(folder), name)).isFile());
  return Object.fromEntries(
    files.sort().map((name) => [name, readFileSync(join(cli.path(folder), name), 'utf8')]),
  );
}

async function fingerprint(): Promise<string> {
  const random = seededRandom('look');
  const dataDir = await openDataDir({ path: cli.path('data'), lock: false, random });
  const { clock } = cli;
  const [root] = (await loadAuthority({ dataDir, clock, random })).describe();
  return root?.fingerprintSha256 ?? '';
}

describe('backup and restore', () => {
  test('a data folder and what is made again of it are equal', async () => {
    await cli.prepareData();
    await cli.run('token', 'web', ...DATA);
    await cli.run('cert', 'web', '--out', '<dir>/tls', ...DATA);
    const root = await fingerprint();
    expect(root).toMatch(/^[0-9a-f]{64}$/);
    expect(await cli.run(...BACKUP)).toEqual({
      code: 0,
      stdout:
        'wrote <dir>/safe/mesh.backup: 5 files of <dir>/data, encrypted\n' +
        `trust domain shop.example\nroot sha256 ${root}\n`,
      stderr:
        '  hint: keep the passphrase apart from the backup: ' +
        'whoever has both has every key of this mesh\n',
    });
    expect(statSync(cli.path('safe/mesh.backup')).mode & 0o777).toBe(0o600);
    expect(readFileSync(cli.path('safe/mesh.backup'), 'latin1')).not.toMatch(/PRIVATE|shop/);
    cli.clock.advance(3_600_000);
    expect(await cli.run(...RESTORE, '<dir>/again')).toEqual({
      code: 0,
      stdout:
        'restored <dir>/again: 5 files, as of 2026-01-01T00:00:00.000Z\n' +
        `trust domain shop.example\nroot sha256 ${root}\n`,
      stderr:
        '  hint: anything revoked after that time is no longer revoked: revoke it again\n' +
        '  hint: start `countersign serve` with this --data, ' +
        'at the address that sidecars connect to\n',
    });
    expect(Object.keys(contents('data')).filter((name) => name !== '.gitignore')).toHaveLength(5);
    expect(contents('again')).toEqual(contents('data'));
  });

  test('--json of both; a passphrase of the environment', async () => {
    await cli.prepareData();
    vi.stubEnv('COUNTERSIGN_PASSPHRASE', SECRET);
    onTestFinished(() => void vi.unstubAllEnvs());
    const root = await fingerprint();
    const made = await cli.run('backup', '<dir>/b', '--json', ...DATA);
    const { size } = statSync(cli.path('b'));
    const shown = {
      createdAt: '2026-01-01T00:00:00.000Z',
      files: 2,
      trustDomain: 'shop.example',
      rootFingerprints: [root],
    };
    expect({ ...made, stdout: JSON.parse(made.stdout) }).toEqual({
      code: 0,
      stdout: { backup: { file: '<dir>/b', bytes: size, ...shown } },
      stderr: '',
    });
    const again = await cli.run('restore', '<dir>/b', '--json', '--data', '<dir>/again');
    expect({ ...again, stdout: JSON.parse(again.stdout) }).toEqual({
      code: 0,
      stdout: { restored: { data: '<dir>/again', ...shown } },
      stderr: '',
    });
  });

  test('beside a server: its lock is in nobody’s way and not in the backup', async () => {
    await cli.prepareData();
    const server = await openDataDir({ path: cli.path('data'), lock: true });
    onTestFinished(() => server.close());
    expect(await cli.run(...BACKUP)).toMatchObject({ code: 0 });
    expect(await cli.run(...RESTORE, '<dir>/again')).toMatchObject({ code: 0 });
    expect(Object.keys(contents('again'))).toEqual(['.gitignore', 'authority.json', 'mesh.json']);
  });

  test('a damaged authority is backed up as it is, and told of', async () => {
    await cli.prepareData();
    cli.write('data/authority.json', 'broken');
    const warning =
      'warning: <dir>/data/authority.json: expected JSON but got other content\n' +
      '  hint: keep the passphrase apart from the backup: ' +
      'whoever has both has every key of this mesh\n';
    expect(await cli.run(...BACKUP)).toEqual({
      code: 0,
      stdout: 'wrote <dir>/safe/mesh.backup: 2 files of <dir>/data, encrypted\n',
      stderr: warning,
    });
  });

  test('a CA whose keys have a passphrase of their own: it is not asked for', async () => {
    const { clock } = cli;
    const random = seededRandom('own');
    const dataDir = await openDataDir({ path: cli.path('data'), lock: false, random });
    const trustDomain = 'shop.example';
    const passphrase = 'of the CA alone';
    await loadOrCreateAuthority({ dataDir, clock, random, trustDomain, passphrase });
    const { code, stdout, stderr } = await cli.run(...BACKUP);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(
        new RegExp(
          '^wrote <dir>/safe/mesh.backup: 1 file of <dir>/data, encrypted\n' +
            'trust domain shop.example\nroot sha256 [0-9a-f]{64}\n$',
        ),
      ),
    });
    expect(stderr).not.toContain('warning');
    expect(await cli.run(...RESTORE, '<dir>/again')).toMatchObject({ code: 0 });
    expect(contents('again')).toEqual(contents('data'));
    expect(contents('again')['authority.json']).toContain('ENCRYPTED PRIVATE KEY');
  });

  test('what is not of the server is left out, and named', async () => {
    await cli.prepareData();
    cli.write('data/Notes.txt', 'x');
    const { code, stderr } = await cli.run(...BACKUP);
    expect(code).toBe(0);
    expect(stderr).toContain('warning: left out Notes.txt, which countersign did not write\n');
  });
});

describe('backup is refused', () => {
  beforeEach(() => cli.prepareData());

  test('over a file that is there, unless --force', async () => {
    cli.write('mine', 'precious');
    const argv = ['backup', '<dir>/mine', ...WITH, ...DATA];
    expect(await cli.run(...argv)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: expected no file at <dir>/mine but there is one\n' +
        '  hint: name another file, or replace that one with --force\n',
    });
    expect(readFileSync(cli.path('mine'), 'utf8')).toBe('precious');
    expect(await cli.run(...argv, '--force')).toMatchObject({ code: 0 });
    expect(readFileSync(cli.path('mine'), 'latin1')).toMatch(/^countersign-seal/);
  });

  test.each<[string, readonly string[], string]>([
    [
      'without a passphrase',
      ['backup', '<dir>/b', ...DATA],
      'error: expected a passphrase in --passphrase-file or COUNTERSIGN_PASSPHRASE but got none\n' +
        '  hint: make one with `openssl rand -base64 24 > passphrase`\n',
    ],
    [
      'with a short one',
      ['backup', '<dir>/b', '--passphrase-file', '<dir>/short', ...DATA],
      'error: expected a passphrase of at least 12 characters but got a shorter one\n' +
        '  hint: make one with `openssl rand -base64 24`, ' +
        'and keep it apart from what it encrypts\n',
    ],
    [
      'into the data folder',
      ['backup', '<dir>/data/b', ...WITH, ...DATA],
      'error: expected a file outside the data folder but got <dir>/data/b\n' +
        '  hint: name a file elsewhere\n',
    ],
  ])('%s', async (_name, argv, stderr) => {
    cli.write('short', 'hunter2');
    const before = contents('.');
    expect(await cli.run(...argv)).toEqual({ code: 2, stdout: '', stderr });
    expect(contents('.')).toEqual(before);
  });

  test('of no data folder', async () => {
    const argv = ['backup', '<dir>/b', ...WITH, '--data', '<dir>/none'];
    expect(await cli.run(...argv)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: expected a data folder at <dir>/none but there is none\n' +
        '  hint: start `countersign serve` once with the same --data, ' +
        'or name the folder with --data\n',
    });
  });
});

describe('restore is refused, and writes nothing', () => {
  /** Of the first test: sealing costs half a second, on purpose. */
  let sealed: Buffer | undefined;
  beforeEach(async () => {
    if (sealed === undefined) {
      await cli.prepareData();
      await cli.run(...BACKUP);
      rmSync(cli.path('data'), { recursive: true });
      sealed = readFileSync(cli.path('safe/mesh.backup'));
    }
    mkdirSync(cli.path('safe'), { recursive: true });
    writeFileSync(cli.path('safe/mesh.backup'), sealed);
  });
  const change = (edit: (file: Buffer) => Buffer | undefined) => (): void => {
    const path = cli.path('safe/mesh.backup');
    const file = readFileSync(path);
    writeFileSync(path, edit(file) ?? file);
  };

  test.each<[string, () => void, number, string]>([
    [
      'another passphrase',
      () => cli.write('passphrase', 'correct horse batterx'),
      1,
      'error: expected the passphrase of this file but got another\n' +
        '  hint: give the one that it was made with; nobody can read the file without it\n',
    ],
    [
      'a file cut short',
      change((file) => file.subarray(0, 300)),
      1,
      'but it is cut short at 300 bytes\n' +
        '  hint: copy the file anew from where it is kept, or take an earlier one\n',
    ],
    [
      'a flipped bit',
      change((file) => void file.writeUInt8((file[200] ?? 0) ^ 1, 200)),
      1,
      'error: expected the bytes that were written but got others\n' +
        '  hint: copy the file anew from where it is kept, or take an earlier one\n',
    ],
    [
      'another version',
      change((file) => void file.writeUInt8(9, 16)),
      1,
      'error: expected a sealed file of version 1 but got version 9\n' +
        '  hint: open it with the version of countersign that wrote it\n',
    ],
    [
      'what is no backup',
      change(() => Buffer.from('{}'.padEnd(200))),
      1,
      'error: expected a file that countersign sealed but got another\n' +
        '  hint: name a file that `countersign backup` wrote\n',
    ],
    [
      'no file',
      () => renameSync(cli.path('safe/mesh.backup'), cli.path('safe/other')),
      2,
      'error: expected a backup to read at <dir>/safe/mesh.backup but got ENOENT\n',
    ],
    [
      'a folder that holds something',
      () => {
        mkdirSync(cli.path('data'));
        cli.write('data/authority.json', 'live');
      },
      1,
      'error: expected no data folder at <dir>/data, or an empty one, ' +
        'but it holds "authority.json"\n' +
        '  hint: name another folder with --data, or move that one away; nothing was changed\n',
    ],
  ])('%s', async (_name, prepare, code, stderr) => {
    prepare();
    const before = contents('.');
    const got = await cli.run(...RESTORE, '<dir>/data');
    expect({ ...got, stderr: got.stderr.slice(-stderr.length) }).toEqual({
      code,
      stdout: '',
      stderr,
    });
    expect(contents('.')).toEqual(before);
    expect(got.stderr).not.toContain('batter');
  });

  test('while what an interrupted one has left is named', async () => {
    mkdirSync(cli.path('data.restoring-00'));
    const { code, stderr } = await cli.run(...RESTORE, '<dir>/data');
    expect(code).toBe(0);
    expect(stderr).toContain(
      'warning: an interrupted restore has left <dir>/data.restoring-00: remove it\n',
    );
  });
});
