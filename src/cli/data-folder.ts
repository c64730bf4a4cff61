import { existsSync } from 'node:fs';
import { type DataDir, openDataDir } from '../data/index.js';
import { type Context, writeLine } from '../terminal/index.js';

/**
 * The data folder, for commands that may run before the server's first start. If this makes it, it
 * says so, since what is signed in a folder that no server uses is worthless.
 * @throws MeshError data-unwritable
 */
export async function openOrMakeDataDir(
  path: string,
  { random, stderr }: Pick<Context, 'random' | 'stderr'>,
): Promise<DataDir> {
  const isNew = !existsSync(path);
  const dataDir = await openDataDir({ path, lock: false, random });
  if (isNew) {
    writeLine(stderr, `made the data folder ${path}: start countersign serve with the same --data`);
  }
  return dataDir;
}
