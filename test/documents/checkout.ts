// A clean folder as a clone is after `npm ci && npm run build`, but for what git doesn't keep.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from './markdown.js';

/** What the build and `npm ci` make; taken as it is. */
const MADE = ['node_modules', 'dist', '.cache'] as const;
/** What a document's commands name. */
const NAMED = ['package.json', 'scripts', 'envoy-examples', 'docs', 'protos', 'README.md'] as const;

export function checkout(folder: string): string {
  const to = join(folder, 'clone');
  mkdirSync(to);
  const listed = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard', ...NAMED],
    {
      cwd: ROOT,
      encoding: 'utf8',
    },
  );
  for (const path of listed
    .split('\0')
    .filter((one) => one !== '' && existsSync(join(ROOT, one)))) {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    cpSync(join(ROOT, path), join(to, path));
  }
  for (const path of MADE) symlinkSync(join(ROOT, path), join(to, path));
  return to;
}
