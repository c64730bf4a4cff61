// Files of this machine's Debian packages, for images that can't be pulled.
import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';

const MOST_BYTES = 1024 * 1024 * 1024;

/** What dpkg lists, without documents; `/bin` and its like are links to `/usr`. */
export function filesOf(packages: readonly string[]): string[] {
  const listed = packages.flatMap((name) => {
    try {
      return execFileSync('dpkg', ['-L', name], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).split('\n');
    } catch {
      return [];
    }
  });
  return listed
    .map((path) => path.replace(/^\/(bin|sbin|lib|lib64)\//, '/usr/$1/'))
    .filter((path) => path !== '' && path !== '/.')
    .filter((path) => !/^\/usr\/share\/(doc|man|locale)\//.test(path));
}

/** The libraries that programs load: links, and what they lead to. */
export function librariesOf(programs: readonly string[]): string[] {
  const printed = execFileSync('ldd', [...programs], { encoding: 'utf8', maxBuffer: MOST_BYTES });
  const found = [...printed.matchAll(/=> (\/\S+)/g)].map(([, path = '']) => path);
  const named = [...new Set(found)].map((path) => path.replace(/^\/lib\//, '/usr/lib/'));
  return named.flatMap((path) => [path, realpathSync(path)]);
}

/** Of those of the files that are there. */
export function toArchive(files: readonly string[]): Buffer {
  const there = [...new Set(files)].filter((path) => existsSync(path));
  return execFileSync('tar', ['-c', '--no-recursion', '-T', '-'], {
    input: there.join('\n'),
    stdio: ['pipe', 'pipe', 'ignore'],
    maxBuffer: MOST_BYTES,
  });
}
