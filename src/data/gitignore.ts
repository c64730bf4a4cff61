// A data folder lies beside mesh.yaml, which is in a repository more often than not, and a
// `git add .` would take the keys of the CA along. So the folder says of itself that nothing of it
// is to be added, before there is a key in it.
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../base/index.js';
import { FILE_MODE, GITIGNORE_FILE, syncFolder, TEMPORARY } from './data-folder.js';

const CONTENT = '*\n';

/** Durable when the promise resolves. A file that is there and not empty is somebody's own. */
export async function writeGitignore(folder: string, random: Random): Promise<void> {
  const path = join(folder, GITIGNORE_FILE);
  // A pipe in its place would never end.
  const isFile = (await stat(path).catch(() => undefined))?.isFile() === true;
  if (isFile && (await readFile(path, 'utf8').catch(() => '')) !== '') return;
  const temporary = join(folder, `${TEMPORARY}${random.bytes(8).toString('hex')}`);
  try {
    const file = await open(temporary, 'wx', FILE_MODE);
    try {
      await file.writeFile(CONTENT);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(folder);
}
