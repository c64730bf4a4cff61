import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openDataDir } from '../../src/data/index.js';
import { hintOf } from '../../src/terminal/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { meshErrorOf, temporaryDataDir, temporaryFolder } from '../x509/tools.js';

describe('the data folder', () => {
  it('is made with mode 0700 and holds files of mode 0600', async () => {
    const dataDir = await temporaryDataDir();
    await dataDir.write('a.json', 'one');
    await dataDir.write('leaves/b.json', 'two');
    const modes = await Promise.all(
      ['', 'a.json', 'leaves', 'leaves/b.json'].map(async (name) => {
        return ((await stat(join(dataDir.path, name))).mode & 0o777).toString(8);
      }),
    );
    expect(modes).toEqual(['700', '600', '700', '600']);
  });

  it('is tightened where others may read it', async () => {
    const path = await temporaryFolder();
    await chmod(path, 0o755);
    await openDataDir({ path, lock: false });
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  });

  it('a pipe in the place of a file is refused, and waits for nobody', async () => {
    const dataDir = await temporaryDataDir();
    for (const name of ['authority.json', '.gitignore']) {
      await rm(join(dataDir.path, name), { force: true });
      execFileSync('mkfifo', [join(dataDir.path, name)]);
    }
    const error = await meshErrorOf(() => dataDir.read('authority.json'));
    expect(error).toMatchObject({
      code: 'data-unreadable',
      message: expect.stringMatching(/authority\.json to be a file but it is none$/),
    });
    await openDataDir({ path: dataDir.path, lock: false });
  });

  it('is left as it is where it holds other things', async () => {
    const path = await temporaryFolder();
    await chmod(path, 0o755);
    await writeFile(join(path, 'package.json'), '{}');
    const error = await meshErrorOf(() => openDataDir({ path, lock: true }));
    expect(error).toMatchObject({
      code: 'data-foreign',
      message: expect.stringMatching(/holds other things, such as "package\.json"$/),
    });
    expect(hintOf(error)).toBe('name a folder of its own with --data');
    expect((await stat(path)).mode & 0o777).toBe(0o755);
    expect(await readdir(path)).toEqual(['package.json']);
  });

  it.each([
    'lock',
    'lost+found',
    '.tmp-0011223344556677',
    'authority.json',
    'token-keys.json',
    'xds-anchor.json',
  ])('is ours, or as good as empty, with %s', async (name) => {
    const path = await temporaryFolder();
    await chmod(path, 0o755);
    await writeFile(join(path, name), '');
    await openDataDir({ path, lock: false });
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  });

  it('shuts others out of a file that a copy has loosened', async () => {
    const dataDir = await temporaryDataDir();
    await dataDir.write('authority.json', 'x');
    await chmod(join(dataDir.path, 'authority.json'), 0o644);
    expect((await dataDir.read('authority.json'))?.toString()).toBe('x');
    expect((await stat(join(dataDir.path, 'authority.json'))).mode & 0o777).toBe(0o600);
  });

  it.skipIf(process.getuid?.() !== 0)("names the owner of another user's folder", async () => {
    const path = join(await temporaryFolder(), 'data');
    await mkdir(path, { mode: 0o700 });
    await chmod(dirname(path), 0o755);
    process.seteuid?.(65_534);
    onTestFinished(() => void process.seteuid?.(0));
    const error = await meshErrorOf(() => openDataDir({ path, lock: false }));
    expect(error.code).toBe('data-unwritable');
    expect(error.message).toMatch(/but it is user 0's$/);
  });

  it('reads back what was written, lists it, replaces and removes it', async () => {
    const dataDir = await temporaryDataDir();
    expect(await dataDir.read('leaves/x')).toBeUndefined();
    expect(await dataDir.list('leaves')).toEqual([]);
    await dataDir.write('leaves/x', 'one');
    await dataDir.write('leaves/x', 'two');
    await dataDir.write('leaves/a', Buffer.of(0, 255));
    expect((await dataDir.read('leaves/x'))?.toString()).toBe('two');
    expect(await dataDir.read('leaves/a')).toEqual(Buffer.of(0, 255));
    expect(await dataDir.list('leaves')).toEqual(['a', 'x']);
    await dataDir.remove('leaves/x');
    await dataDir.remove('leaves/x');
    expect(await dataDir.list('leaves')).toEqual(['a']);
    expect(await readdir(join(dataDir.path, 'leaves'))).toEqual(['a']);
  });

  it('lets exactly one of many creators win, and shows the others its content', async () => {
    const dataDir = await temporaryDataDir();
    const contents = Array.from({ length: 8 }, (_, i) => `creator ${i}`);
    const results = await Promise.all(contents.map((text) => dataDir.create('key', text)));
    expect(results.filter((won) => won)).toHaveLength(1);
    expect((await dataDir.read('key'))?.toString()).toBe(contents[results.indexOf(true)]);
    expect(await readdir(dataDir.path)).toEqual(['.gitignore', 'key']);
  });

  it('sets a file aside under a name of its own', async () => {
    const dataDir = await temporaryDataDir();
    await dataDir.write('leaves/x', 'odd');
    const aside = await dataDir.setAside('leaves/x');
    expect(aside).toMatch(/^leaves\/x\.damaged-\d{8}t\d{6}z$/);
    expect(await dataDir.read('leaves/x')).toBeUndefined();
    expect((await dataDir.read(aside))?.toString()).toBe('odd');
  });

  it.each(['../x', '/x', 'a/b/c', '.x', 'a/.x', '', 'A'])('knows no file %j', async (name) => {
    const dataDir = await temporaryDataDir();
    await expect(dataDir.read(name)).rejects.toThrow('not a name within the data folder');
  });

  it.each([
    { where: 'under a file', toPath: (folder: string) => join(folder, 'file', 'data') },
    { where: 'at a file', toPath: (folder: string) => join(folder, 'file') },
    { where: 'where nothing can be made', toPath: () => '/proc/countersign' },
  ])('cannot be $where', async ({ toPath }) => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'file'), '');
    const error = await meshErrorOf(() => openDataDir({ path: toPath(folder), lock: true }));
    expect(error.code).toBe('data-unwritable');
    expect(error.message).toContain(toPath(folder));
    expect(hintOf(error)).toContain('--data');
  });

  it('is missing where it must exist', async () => {
    const path = join(await temporaryFolder(), 'data');
    const error = await meshErrorOf(() => openDataDir({ path, lock: false, create: false }));
    expect(error.code).toBe('data-missing');
  });

  it('says which file it cannot replace, and leaves nothing behind', async () => {
    const dataDir = await temporaryDataDir();
    await mkdir(join(dataDir.path, 'taken', 'inner'), { recursive: true });
    const error = await meshErrorOf(() => dataDir.write('taken', 'x'));
    expect(error.code).toBe('data-unwritable');
    expect(error.message).toBe(`expected to write ${dataDir.path}/taken but got EISDIR`);
    expect(await readdir(dataDir.path)).toEqual(['.gitignore', 'taken']);
  });

  it('says which file it cannot read', async () => {
    const dataDir = await temporaryDataDir();
    await mkdir(join(dataDir.path, 'folder'));
    const error = await meshErrorOf(() => dataDir.read('folder'));
    expect(error.code).toBe('data-unreadable');
  });
});

describe('temporary files of a killed process', () => {
  const NOW_MS = Date.UTC(2026, 0, 1);
  const HOUR_S = 3600;

  it.each([
    { name: 'an hour old', ageS: HOUR_S, file: '.tmp-0011223344556677', kept: false },
    { name: 'an hour old, in a folder', ageS: HOUR_S, file: 'leaves/.tmp-00', kept: false },
    { name: 'a second younger', ageS: HOUR_S - 1, file: '.tmp-0011223344556677', kept: true },
    { name: 'another file', ageS: 9 * HOUR_S, file: 'leaves/x.json', kept: true },
  ])('$name: kept $kept by who takes the lock', async ({ ageS, file, kept }) => {
    const { path } = await temporaryDataDir();
    await mkdir(join(path, 'leaves'));
    await writeFile(join(path, 'authority.json'), '');
    await writeFile(join(path, file), 'part of a key');
    await utimes(join(path, file), NOW_MS / 1000 - ageS, NOW_MS / 1000 - ageS);
    const files = async () => (await readdir(path, { recursive: true })).includes(file);
    const clock = new ManualClock(NOW_MS);
    await openDataDir({ path, lock: false, clock });
    expect(await files()).toBe(true);
    const holder = await openDataDir({ path, lock: true, clock });
    expect(await files()).toBe(kept);
    await holder.close();
  });
});

describe('the lock of the data folder', () => {
  it('keeps a second server out by name, but no command that runs beside it', async () => {
    const path = join(await temporaryFolder(), 'data');
    const first = await openDataDir({ path, lock: true });
    const error = await meshErrorOf(() => openDataDir({ path, lock: true }));
    expect(error).toMatchObject({
      code: 'data-locked',
      message: `another server (process ${process.pid}) holds the data folder ${path}`,
    });
    const beside = await openDataDir({ path, lock: false });
    await beside.write('token-keys.json', 'x');
    await beside.close();
    expect((await meshErrorOf(() => openDataDir({ path, lock: true }))).code).toBe('data-locked');
    await first.close();
    await first.close();
    const second = await openDataDir({ path, lock: true });
    await second.close();
  });

  it('is free at once after the holder was killed, whatever process id it left', async () => {
    const path = join(await temporaryFolder(), 'data');
    const holder = await startHolder(path);
    const error = await meshErrorOf(() => openDataDir({ path, lock: true }));
    expect(error.message).toContain(`(process ${holder.pid})`);
    const ended = once(holder, 'exit');
    holder.kill('SIGKILL');
    await ended;
    // The file still names the killed process; were that id reused, nothing would change.
    await writeFile(join(path, 'lock'), `${process.ppid}\n`);
    const second = await openDataDir({ path, lock: true });
    await second.close();
  });

  it('is refused with a hint where there is no flock tool', async () => {
    const path = join(await temporaryFolder(), 'data');
    const found = process.env['PATH'];
    process.env['PATH'] = '/nowhere';
    onTestFinished(() => {
      process.env['PATH'] = found;
    });
    const error = await meshErrorOf(() => openDataDir({ path, lock: true }));
    expect(error.code).toBe('data-unwritable');
    expect(hintOf(error)).toContain('flock');
  });
});

/**
 * Another process that opens the folder's lock in the way that we do, and holds it until killed.
 */
async function startHolder(path: string): Promise<ChildProcess> {
  await openDataDir({ path, lock: false });
  const script = `
    const { openSync, writeSync } = require('node:fs');
    const { spawnSync } = require('node:child_process');
    const fd = openSync(process.argv[1], 'a+');
    const stdio = ['ignore', 'ignore', 'ignore', fd];
    const { status } = spawnSync('flock', ['-x', '-n', '3'], { stdio });
    writeSync(fd, process.pid + '\\n');
    console.log(status);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['-e', script, join(path, 'lock')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  expect(line).toBe('0');
  return child;
}
