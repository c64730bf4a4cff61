// Which files make a project: those that are named, or what Compose finds in a folder.
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { composeUnreadable } from './compose-error.js';

const NAMES = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];
const OVERRIDES = [
  'compose.override.yml',
  'compose.override.yaml',
  'docker-compose.override.yml',
  'docker-compose.override.yaml',
];

/** Absolute paths. A folder stands for its compose file and that one's override. */
export async function findComposeFiles(paths: readonly string[], cwd: string): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths.length === 0 ? ['.'] : paths) {
    const absolute = resolve(cwd, path);
    const isFolder = (await stat(absolute).catch(() => undefined))?.isDirectory() ?? false;
    found.push(...(isFolder ? await filesOf(absolute, path) : [absolute]));
  }
  return found;
}

async function filesOf(folder: string, shown: string): Promise<string[]> {
  const file = await firstOf(NAMES, folder);
  if (file === undefined) {
    throw composeUnreadable(`there is no compose file in ${shown}`, {
      hint: `name the file; a folder is looked at for ${NAMES.join(', ')}`,
    });
  }
  const override = await firstOf(OVERRIDES, folder);
  return override === undefined ? [file] : [file, override];
}

async function firstOf(names: readonly string[], folder: string): Promise<string | undefined> {
  for (const name of names) {
    const path = join(folder, name);
    if ((await stat(path).catch(() => undefined))?.isFile()) return path;
  }
  return undefined;
}
