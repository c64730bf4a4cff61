// Generated code is a function of the protos and the generator, and is never committed: generates
// it a second time, into a folder of its own, and compares byte by byte.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const here = join(root, 'src', 'gen');

function filesOf(folder) {
  return readdirSync(folder)
    .filter((file) => file !== '.stamp')
    .sort();
}

/** Problems, each a sentence. */
function compare(again) {
  const [old, fresh] = [filesOf(here), filesOf(again)];
  if (fresh.length === 0) return ['the generator made no file'];
  if (old.join() !== fresh.join()) return [`src/gen has ${old}, but the generator makes ${fresh}`];
  return fresh
    .filter((file) => !readFileSync(join(here, file)).equals(readFileSync(join(again, file))))
    .map((file) => `src/gen/${file} differs from what the generator makes: npm run build:gen`);
}

function committed() {
  if (!existsSync(join(root, '.git'))) return [];
  const listed = execFileSync('git', ['ls-files', 'src/gen', 'dist'], { cwd: root }).toString();
  return listed === '' ? [] : [`generated files are committed: ${listed.trim()}`];
}

const folder = mkdtempSync(join(tmpdir(), 'countersign-gen-'));
try {
  execFileSync(process.execPath, [join(root, 'scripts/gen.mjs'), folder], { stdio: 'ignore' });
  const problems = [...compare(folder), ...committed()];
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
