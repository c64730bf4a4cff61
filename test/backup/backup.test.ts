import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { decodeImage, encodeImage, type FolderImage } from '../../src/backup/folder-image.js';
import {
  createBackup,
  findInterrupted,
  openBackup,
  restoreFolder,
} from '../../src/backup/index.js';
import { takeImage } from '../../src/backup/take-image.js';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { type DataDir, openDataDir } from '../../src/data/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { meshErrorOf, temporaryDataDir, temporaryFolder } from '../x509/tools.js';

const PASSPHRASE = 'correct horse battery';
const CREATED_MS = Date.UTC(2026, 0, 1);
const random = seededRandom('backup');
const text = (image: FolderImage): Record<string, string> =>
  Object.fromEntries(image.files.map(({ name, content }) => [name, content.toString()]));
const imageOf = (files: Readonly<Record<string, string>>): FolderImage => ({
  createdAtMs: CREATED_MS,
  files: Object.entries(files).map(([name, content]) => ({ name, content: Buffer.from(content) })),
});

/** Every file below a folder, with its mode. */
async function treeOf(path: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    const place = join(entry.parentPath, entry.name);
    const mode = ((await stat(place)).mode & 0o777).toString(8);
    const content = entry.isFile() ? await readFile(place, 'utf8') : '';
    found[place.slice(path.length + 1)] = `${mode} ${content}`;
  }
  return found;
}

describe('an image', () => {
  it('has all but what is of this process and machine; what is not ours is named', async () => {
    const dataDir = await temporaryDataDir();
    await dataDir.write('authority.json', 'a');
    await dataDir.write('leaves/0a.json', 'b');
    await dataDir.write('revoked/0b.json', 'c');
    await dataDir.write('authority.json.damaged-00', 'd');
    for (const name of ['lock', 'authority.lock', '.tmp-00', 'leaves/.tmp-01', 'README']) {
      await writeFile(join(dataDir.path, name), 'x');
    }
    await mkdir(join(dataDir.path, 'leaves/deeper'));
    await symlink('authority.json', join(dataDir.path, 'link.json'));
    const { image, leftOut } = await takeImage(dataDir.path, new ManualClock());
    expect({ files: text(image), createdAtMs: image.createdAtMs, leftOut }).toEqual({
      files: {
        'authority.json': 'a',
        'authority.json.damaged-00': 'd',
        'leaves/0a.json': 'b',
        'revoked/0b.json': 'c',
      },
      createdAtMs: CREATED_MS,
      leftOut: ['README', 'leaves/deeper', 'link.json'],
    });
  });

  it('is of one moment while two files change together, again and again', async () => {
    const dataDir = await temporaryDataDir();
    // Between the two by name, so that reading all takes a while.
    await fillFolder(dataDir, 40);
    await busyProcess(
      dataDir.path,
      `put('token-keys.json', i);
       put('authority.json', i);
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60);`,
    );
    const seen = new Set<string | undefined>();
    // Until enough moments were seen, however fast the machine is.
    for (let taken = 0; taken < 30 || (seen.size <= 5 && taken < 1_000); taken++) {
      const { image } = await takeImage(dataDir.path, systemClock);
      const { 'authority.json': first, 'token-keys.json': second } = text(image);
      // The keys are written first: at any one moment they are as new, or newer by one.
      expect([0, 1]).toContain(Number(second) - Number(first));
      seen.add(first);
    }
    expect(seen.size).toBeGreaterThan(5);
  });

  it('does not wait for leaves to rest', async () => {
    const dataDir = await temporaryDataDir();
    await fillFolder(dataDir, 100);
    let round = 0;
    repeat(() => dataDir.write(`leaves/0${round++ % 10}.json`, 'leaf'));
    const { image } = await takeImage(dataDir.path, systemClock);
    expect(image.files.length).toBeGreaterThanOrEqual(100);
  });

  it('a folder that never rests is told of', async () => {
    const dataDir = await temporaryDataDir();
    await fillFolder(dataDir, 300);
    await busyProcess(dataDir.path, "put('authority.json', i);");
    const clock = { now: () => CREATED_MS, after: (_ms: number, then: () => void) => soon(then) };
    const error = await meshErrorOf(() => takeImage(dataDir.path, clock));
    expect(error).toMatchObject({ code: 'timeout', hint: 'run the command again' });
  });
});

/**
 * Changes files of the folder until the test ends: in a process of its own and without fsync, so
 * more often than the folder can be read.
 */
async function busyProcess(cwd: string, round: string): Promise<void> {
  const script = `
    const { renameSync, writeFileSync } = require('node:fs');
    const put = (name, content) => {
      writeFileSync('.tmp-00', String(content));
      renameSync('.tmp-00', name);
    };
    for (let i = 0; ; i++) {
      ${round}
      if (i === 0) process.stdout.write('busy');
    }`;
  const busy = spawn(process.execPath, ['-e', script], { cwd });
  const ended = once(busy, 'exit');
  onTestFinished(async () => {
    busy.kill('SIGKILL');
    await ended;
  });
  await once(busy.stdout, 'data');
}

async function fillFolder(dataDir: DataDir, files: number): Promise<void> {
  for (let i = 0; i < files; i++) await writeFile(join(dataDir.path, `m${i}`), 'x'.repeat(5_000));
}

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => void systemClock.after(ms, resolve));

function soon(then: () => void): () => void {
  setImmediate(then);
  return () => undefined;
}

/** Does it again and again until the test ends. */
function repeat(work: () => Promise<void>): void {
  let stopped = false;
  const running = (async () => {
    while (!stopped) await work();
  })();
  onTestFinished(() => {
    stopped = true;
    return running;
  });
}

describe('an image as bytes', () => {
  const names = fc
    .array(fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789-.'), { maxLength: 20 })
    .map((rest) => `n${rest.join('')}`)
    .filter((name) => !name.endsWith('.lock'));
  const paths = fc.oneof(
    names.map((name) => `${name}.json`),
    fc.tuple(names, names).map(([folder, name]) => `f${folder}/${name}`),
  );
  const images = fc
    .dictionary(paths, fc.uint8Array({ maxLength: 500 }), { minKeys: 1, maxKeys: 30 })
    .map((files) => ({
      createdAtMs: CREATED_MS,
      files: Object.entries(files).map(([name, content]) => ({
        name,
        content: Buffer.from(content),
      })),
    }));

  it('comes back equal, and restores equal, whatever is in it', async () => {
    const folder = await temporaryFolder();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(images, async (image) => {
        expect(await decodeImage(await encodeImage(image))).toEqual(image);
        const path = join(folder, `data-${run++}`);
        await restoreFolder(image, { path, random });
        const again = (await takeImage(path, new ManualClock())).image;
        const sorted = [...image.files].sort((a, b) => (a.name < b.name ? -1 : 1));
        expect(again).toEqual({ ...image, files: sorted });
      }),
      { numRuns: 40, seed: 5 },
    );
    expect(run).toBe(40);
  });

  const file = (name: string): object => ({ name, base64: '' });
  it.each<[string, unknown, boolean]>([
    ['a file', { files: [file('a.json')] }, true],
    ['a file of a folder', { files: [file('leaves/0a.json')] }, true],
    ['a way out', { files: [file('../a.json')] }, false],
    ['a way out of a folder', { files: [file('leaves/../../a')] }, false],
    ['an absolute name', { files: [file('/etc/passwd')] }, false],
    ['a folder within a folder', { files: [file('a/b/c')] }, false],
    ['a lock', { files: [file('lock')] }, false],
    ['a lock in a folder', { files: [file('leaves/a.lock')] }, false],
    ['a hidden file', { files: [file('.tmp-00')] }, false],
    ['a capital letter', { files: [file('A.json')] }, false],
    ['a zero', { files: [file('a\0b')] }, false],
    ['the same name twice', { files: [file('a'), file('a')] }, false],
    ['a file that is a folder too', { files: [file('a'), file('a/b')] }, false],
    ['none', { files: [] }, false],
    ['another version', { version: 2, files: [file('a')] }, false],
    ['a field more', { files: [file('a')], mode: 1 }, false],
    ['what is no base64', { files: [{ name: 'a', base64: '*' }] }, false],
  ])('%s', async (_name, given, isGood) => {
    const json = { version: 1, createdAtMs: CREATED_MS, ...(given as object) };
    const bytes = gzipSync(JSON.stringify(json));
    if (isGood) expect((await decodeImage(bytes)).files).toHaveLength(1);
    else
      expect(await meshErrorOf(() => decodeImage(bytes))).toHaveProperty('code', 'backup-invalid');
  });

  it.each([
    ['no gzip', Buffer.from('{}')],
    ['no JSON', gzipSync('PRIVATE')],
  ])('%s', async (_name, bytes) => {
    const error = await meshErrorOf(() => decodeImage(bytes));
    expect(error.code).toBe('backup-invalid');
    expect(error.message).not.toContain('PRIVATE');
  });
});

describe('a backup', () => {
  it('of 10,000 leaves is sealed, opened and restored equal', async () => {
    const folder = await temporaryFolder();
    const files: Record<string, string> = { 'authority.json': 'a' };
    // As large as a leaf with its chain, and as random.
    for (let i = 0; i < 10_000; i++) {
      const name = `leaves/${i.toString(16).padStart(32, '0')}.json`;
      files[name] = systemRandom.bytes(3_000).toString('base64');
    }
    const path = join(folder, 'data');
    await restoreFolder(imageOf(files), { path, random });
    const options = { path, passphrase: PASSPHRASE, random: systemRandom, clock: systemClock };
    const { bytes, files: count } = await createBackup({ ...options, log2N: 14 });
    expect(count).toBe(10_001);
    const file = join(folder, 'backup');
    await writeFile(file, bytes);
    expect(text(await openBackup(file, PASSPHRASE))).toEqual(files);
  }, 120_000);

  it('needs a passphrase that is not guessed at once, and something to keep', async () => {
    const dataDir = await temporaryDataDir();
    const options = { path: dataDir.path, random, clock: new ManualClock() };
    const weak = await meshErrorOf(() => createBackup({ ...options, passphrase: 'short' }));
    expect(weak).toMatchObject({ code: 'usage' });
    const empty = await meshErrorOf(() => createBackup({ ...options, passphrase: PASSPHRASE }));
    expect(empty).toMatchObject({ code: 'data-missing' });
  });

  it('too large a file is not read', async () => {
    const file = join(await temporaryFolder(), 'huge');
    await writeFile(file, '');
    await truncate(file, 2 ** 30);
    const error = await meshErrorOf(() => openBackup(file, PASSPHRASE));
    expect(error).toMatchObject({ code: 'backup-invalid' });
  });
});

describe('restoring', () => {
  const IMAGE = imageOf({ 'authority.json': 'a', 'leaves/0a.json': 'b', 'leaves/0b.json': 'c' });
  const WHOLE = {
    '.gitignore': '600 *\n',
    'authority.json': '600 a',
    leaves: '700 ',
    'leaves/0a.json': '600 b',
    'leaves/0b.json': '600 c',
  };

  it.each<[string, (path: string) => Promise<unknown>]>([
    ['no folder', async () => undefined],
    ['no folder above it either', async () => undefined],
    [
      'an empty folder that others may read',
      (path) => mkdir(path, { recursive: true, mode: 0o755 }),
    ],
    [
      "a stopped server's lock alone",
      async (path) => {
        await mkdir(path, { recursive: true });
        await writeFile(join(path, 'lock'), '77\n');
      },
    ],
  ])('into %s', async (_name, prepare) => {
    const path = join(await temporaryFolder(), 'above', 'data');
    await prepare(path);
    await restoreFolder(IMAGE, { path, random });
    expect(await treeOf(path)).toEqual(WHOLE);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect(await readdir(dirname(path))).toEqual(['data']);
  });

  it('through a link to an empty folder', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'real'));
    await symlink('real', join(folder, 'data'));
    await restoreFolder(IMAGE, { path: join(folder, 'data'), random });
    expect(await treeOf(join(folder, 'real'))).toEqual(WHOLE);
  });

  it.each<[string, (path: string) => Promise<unknown>, string, RegExp]>([
    [
      'a data folder',
      async (path) => {
        await mkdir(path);
        await writeFile(join(path, 'authority.json'), 'live');
      },
      'file-exists',
      /^expected no data folder at .*, or an empty one, but it holds "authority\.json"$/,
    ],
    [
      'another file of it',
      async (path) => {
        await mkdir(path);
        await writeFile(join(path, '.bashrc'), 'live');
      },
      'file-exists',
      /holds "\.bashrc"$/,
    ],
    ['a file', (path) => writeFile(path, 'live'), 'file-exists', /holds "data"$/],
  ])('is refused over %s, and changes nothing', async (_name, prepare, code, message) => {
    const folder = await temporaryFolder();
    const path = join(folder, 'data');
    await prepare(path);
    const before = await treeOf(folder);
    const error = await meshErrorOf(() => restoreFolder(IMAGE, { path, random }));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(await treeOf(folder)).toEqual(before);
  });

  it('is refused where a server holds the empty folder', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'data');
    const server = await openDataDir({ path, lock: true });
    onTestFinished(() => server.close());
    const error = await meshErrorOf(() => restoreFolder(IMAGE, { path, random }));
    expect(error).toMatchObject({ code: 'data-locked' });
    expect(await readdir(folder, { recursive: true })).toEqual([
      'data',
      'data/.gitignore',
      'data/lock',
    ]);
  });

  it.each([
    ['below a file', 'a-file/data'],
    ['where no folder can be made', '../../../../../../../../proc/none/data'],
  ])('is refused %s', async (_name, name) => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'a-file'), '');
    const error = await meshErrorOf(() =>
      restoreFolder(IMAGE, { path: join(folder, name), random }),
    );
    expect(error).toMatchObject({ code: 'data-unwritable' });
    expect(await readdir(folder)).toEqual(['a-file']);
  });

  it('killed at any time leaves no folder or a whole one', async () => {
    const folder = await temporaryFolder();
    const names = Array.from({ length: 200 }, (_, i) => `leaves/${String(i).padStart(4, '0')}`);
    const files = Object.fromEntries(names.map((name) => [name, name.repeat(50)]));
    const image = join(folder, 'image');
    await writeFile(image, await encodeImage(imageOf({ 'authority.json': 'a', ...files })));
    const outcomes = new Map<string, number>();
    // From before the first file to after the last.
    for (let round = 0; round < 6; round++) {
      const path = join(folder, `data-${round}`);
      await killWhen(restoring(image, path), async () => (await written(path)) >= round * 45);
      const restored = await readdir(path, { recursive: true }).catch(() => undefined);
      if (restored !== undefined) expect(restored).toHaveLength(203);
      const left = await findInterrupted(path);
      const outcome = restored === undefined ? `none, ${left.length} left` : `whole`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      // Whatever was left is in nobody's way.
      if (restored === undefined)
        await restoreFolder(await decodeImage(await readFile(image)), { path, random });
      expect(Object.keys(await treeOf(path))).toHaveLength(203);
    }
    expect(outcomes.get('none, 1 left')).toBeGreaterThan(1);
  }, 120_000);
});

/** A process of its own that restores. */
function restoring(image: string, path: string): ReturnType<typeof spawn> {
  const dist = new URL('../../dist/backup/', import.meta.url).href;
  const script = `
    import { readFile } from 'node:fs/promises';
    import { randomBytes } from 'node:crypto';
    const { restoreFolder } = await import('${dist}backup.js');
    const { decodeImage } = await import('${dist}folder-image.js');
    const image = await decodeImage(await readFile(process.argv[1]));
    await restoreFolder(image, { path: process.argv[2], random: { bytes: randomBytes } });
  `;
  const args = ['--input-type=module', '-e', script, image, path];
  return spawn(process.execPath, args, { stdio: 'inherit' });
}

/** How many files the restore of this folder has begun; all, once it is in place. */
async function written(path: string): Promise<number> {
  const [temporary] = await findInterrupted(path);
  const names = await readdir(join(temporary ?? path, 'leaves')).catch(() => []);
  return temporary === undefined && names.length === 0 ? -1 : names.length;
}

async function killWhen(
  child: ReturnType<typeof spawn>,
  ready: () => Promise<boolean>,
): Promise<void> {
  const ended = once(child, 'exit');
  while (child.exitCode === null && !(await ready())) {
    await pause(1);
  }
  child.kill('SIGKILL');
  await ended;
}
