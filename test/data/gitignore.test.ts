import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { loadOrCreateAuthority } from '../../src/ca/index.js';
import { openDataDir } from '../../src/data/index.js';
import { temporaryFolder } from '../x509/tools.js';

const git = (cwd: string, ...words: string[]): string =>
  execFileSync('git', ['-c', 'init.defaultBranch=main', ...words], { cwd, encoding: 'utf8' });

/** A checkout with a data folder that has a CA in it. */
async function checkout(): Promise<{ folder: string; data: string }> {
  const folder = await temporaryFolder();
  git(folder, 'init', '-q');
  const data = join(folder, '.countersign');
  const dataDir = await openDataDir({ path: data, lock: false });
  const parts = { dataDir, clock: systemClock, random: systemRandom, trustDomain: 'a.example' };
  await loadOrCreateAuthority(parts);
  await dataDir.write('leaves/web.json', 'a key');
  await writeFile(join(folder, 'mesh.yaml'), 'trustDomain: a.example\n');
  return { folder, data };
}

const staged = (folder: string): string[] => {
  git(folder, 'add', '.');
  return git(folder, 'diff', '--cached', '--name-only').split('\n').filter(Boolean);
};

describe("the CA's keys in a checkout", () => {
  it('are not staged by git add .', async () => {
    const { folder } = await checkout();
    expect(staged(folder)).toEqual(['mesh.yaml']);
  });

  it('are not staged from a folder of an earlier version, once it was opened', async () => {
    const { folder, data } = await checkout();
    await rm(join(data, '.gitignore'));
    await openDataDir({ path: data, lock: false, create: false });
    expect(staged(folder)).toEqual(['mesh.yaml']);
  });

  it('are not staged after a crash that left the file empty', async () => {
    const { folder, data } = await checkout();
    await writeFile(join(data, '.gitignore'), '');
    await openDataDir({ path: data, lock: true });
    expect(staged(folder)).toEqual(['mesh.yaml']);
  });
});

describe('the .gitignore of a data folder', () => {
  it("is left as it is where it is somebody's own", async () => {
    const path = join(await temporaryFolder(), 'data');
    await mkdir(path);
    await writeFile(join(path, '.gitignore'), '/leaves\n');
    await openDataDir({ path, lock: false });
    expect(await readFile(join(path, '.gitignore'), 'utf8')).toBe('/leaves\n');
  });
});
