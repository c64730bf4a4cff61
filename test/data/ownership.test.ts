import { chmod, chown, lchown, mkdir, readdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataDir } from '../../src/data/index.js';
import { hintOf } from '../../src/terminal/index.js';
import { meshErrorOf, temporaryFolder } from '../x509/tools.js';

// A data folder that somebody else could change, as root finds it and as any user does.

const OTHER = 12_345;
const isRoot = process.geteuid?.() === 0;
const me = process.geteuid?.() ?? 0;

/** A folder that a server has used, below one of its own. */
async function setUp() {
  const above = join(await temporaryFolder(), 'above');
  const path = join(above, 'data');
  await mkdir(path, { recursive: true, mode: 0o700 });
  await mkdir(join(path, 'revocations'), { mode: 0o700 });
  for (const name of ['authority.json', 'revocations/a.json']) {
    await writeFile(join(path, name), '{}', { mode: 0o600 });
  }
  return { above, path };
}

async function refusal(path: string, lock = false) {
  const error = await meshErrorOf(() => openDataDir({ path, lock }));
  return { code: error.code, message: error.message, hint: hintOf(error) };
}

describe('a data folder that others can change', () => {
  it.each([
    ['group', 0o770],
    ['everybody', 0o702],
  ])('may be written by %s: refused with the chmod that mends it', async (_who, mode) => {
    const { path } = await setUp();
    await chmod(path, mode);
    expect(await refusal(path)).toEqual({
      code: 'data-exposed',
      message: `expected ${path} to be this user's alone but others may write it`,
      hint: `look at what is in it: others may have changed it; then \`chmod -R go-w ${path}\``,
    });
    await chmod(path, 0o700);
    await openDataDir({ path, lock: false });
  });

  it('is made safe while there is nothing in it', async () => {
    const path = await temporaryFolder();
    await chmod(path, 0o777);
    await openDataDir({ path, lock: false });
    expect(await readdir(path)).toEqual(['.gitignore']);
  });

  it.each([
    ['a file', 'authority.json'],
    ['a folder in it', 'revocations'],
  ])('%s of it may be written by others: refused', async (_what, name) => {
    const { path } = await setUp();
    await chmod(join(path, name), 0o777);
    const { code, message, hint } = await refusal(path);
    expect([code, message]).toEqual(['data-exposed', expect.stringContaining(join(path, name))]);
    expect(hint).toContain(`\`chmod go-w ${join(path, name)}\``);
  });

  it('a file that becomes so while the folder is used is not read', async () => {
    const { path } = await setUp();
    const dataDir = await openDataDir({ path, lock: false });
    await chmod(join(path, 'revocations/a.json'), 0o666);
    const { code } = await meshErrorOf(() => dataDir.read('revocations/a.json'));
    expect(code).toBe('data-exposed');
    await chmod(join(path, 'revocations'), 0o777);
    expect((await meshErrorOf(() => dataDir.list('revocations'))).code).toBe('data-exposed');
  });
});

describe('a data folder in a place that others can change', () => {
  it('lies where everybody may replace it: refused, unless that is sticky', async () => {
    const { above, path } = await setUp();
    await chmod(above, 0o777);
    const { code, message, hint } = await refusal(path, true);
    expect(code).toBe('data-exposed');
    expect(message).toContain(`but ${above} may be written by others`);
    expect(hint).toContain(`chmod o-w ${above}`);
    await chmod(above, 0o1777);
    await (await openDataDir({ path, lock: true })).close();
  });

  it('is reached by a link that somebody else can turn elsewhere: refused', async () => {
    const { path, above } = await setUp();
    const open = join(above, 'open');
    await mkdir(open);
    await chmod(open, 0o777);
    await symlink(path, join(open, 'link'));
    expect((await refusal(join(open, 'link'))).message).toContain(`but ${open} may be written`);
    await chmod(open, 0o755);
    await openDataDir({ path: join(open, 'link'), lock: false });
  });

  it('a folder that is to be made there is refused too', async () => {
    const { above } = await setUp();
    await chmod(above, 0o777);
    expect((await refusal(join(above, 'new'))).code).toBe('data-exposed');
    expect(await readdir(above)).toEqual(['data']);
  });
});

describe.runIf(isRoot)("another user's folder, as root finds it", () => {
  it('is refused with the chown that mends it, by its name and by a link', async () => {
    const { above, path } = await setUp();
    await chown(path, OTHER, OTHER);
    await symlink(path, join(above, 'link'));
    for (const name of [path, join(above, 'link')]) {
      expect(await refusal(name)).toEqual({
        code: 'data-unwritable',
        message: `expected a data folder of user ${me} at ${name} but it is user ${OTHER}'s`,
        hint: `run as that user, or look at what is in it and \`chown -R ${me} ${name}\``,
      });
    }
  });

  it.each(['authority.json', 'revocations'])('so is %s in it', async (name) => {
    const { path } = await setUp();
    await chown(join(path, name), OTHER, OTHER);
    const { code, message, hint } = await refusal(path);
    expect([code, message]).toEqual([
      'data-exposed',
      `expected ${join(path, name)} to be this user's alone but it is user ${OTHER}'s`,
    ]);
    expect(hint).toContain(`\`chown ${me} ${join(path, name)}\``);
  });

  it('so is a link of theirs in it, and a folder above', async () => {
    const { above, path } = await setUp();
    await rename(join(path, 'authority.json'), join(above, 'authority.json'));
    await symlink(join(above, 'authority.json'), join(path, 'authority.json'));
    await openDataDir({ path, lock: false });
    await lchown(join(path, 'authority.json'), OTHER, OTHER);
    expect((await refusal(path)).code).toBe('data-exposed');
    await lchown(join(path, 'authority.json'), me, me);
    await chown(above, OTHER, OTHER);
    expect((await refusal(path)).message).toContain(`but ${above} is user ${OTHER}'s`);
  });
});
