// Files of the project that a service mounts, in which it may name others: a proxy's configuration
// has the upstreams that no variable says. Only texts in the folder of the compose file, of a size
// that people write; they are looked at for names, and nothing else of them goes anywhere.
import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import type { ConfigFile } from './compose-project.js';
import type { SourceFiles } from './source-files.js';
import { listOf, type Value } from './values.js';
import { toMount } from './volumes.js';

const MAX_FILES = 12;
const MAX_BYTES = 128 * 1024;
const CONFIGURATION =
  /\.(conf|cfg|ya?ml|toml|json|ini|properties|template|tmpl|hcl|config)$|^(Caddyfile|haproxy.*)$/i;

interface ConfigContext {
  readonly sources: SourceFiles;
  readonly folder: string;
}

/** Those that can be read; others say nothing. */
export async function readConfigFiles(
  volumes: Value | undefined,
  { sources, folder }: ConfigContext,
): Promise<ConfigFile[]> {
  const binds = listOf(volumes)
    .map(toMount)
    .flatMap(({ type, source }) => (type === 'bind' && source !== undefined ? [source] : []))
    .filter((path) => isInside(path, folder));
  const paths: string[] = [];
  for (const bind of binds) paths.push(...(await filesAt(bind)));
  const files: ConfigFile[] = [];
  for (const path of [...new Set(paths)].slice(0, MAX_FILES)) {
    const text = await sources.read(path).catch(() => undefined);
    if (text !== undefined) files.push({ name: basename(path), text });
  }
  return files;
}

/** Below the folder, and not the folder itself: that is the application's own code. */
function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith('../') && !way.startsWith('/');
}

/** The file, or those right in the folder. */
async function filesAt(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return isConfiguration(path, found.size) ? [path] : [];
  if (found?.isDirectory() !== true) return [];
  const names = (await readdir(path).catch(() => [])).sort().slice(0, 100);
  const files: string[] = [];
  for (const name of names.filter((one) => CONFIGURATION.test(one))) {
    const file = join(path, name);
    const one = await stat(file).catch(() => undefined);
    if (one?.isFile() && isConfiguration(file, one.size)) files.push(file);
  }
  return files;
}

function isConfiguration(path: string, size: number): boolean {
  return CONFIGURATION.test(basename(path)) && size <= MAX_BYTES;
}
