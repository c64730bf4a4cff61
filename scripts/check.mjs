// `npm run check`: format, lint, types, generated code, tests (tidy among them). Runs all, then
// says which failed. `--fast` runs of the tests only tidy; `--no-tests` none, for those who just
// ran them.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [mode] = process.argv.slice(2);
const TESTS = {
  undefined: [['tests', ['npx', 'vitest', 'run']]],
  '--fast': [['tidy', ['npx', 'vitest', 'run', 'test/tidy']]],
  '--no-tests': [],
};
const tests = TESTS[String(mode)];
if (tests === undefined) {
  process.stderr.write(`expected --fast or --no-tests but got "${mode}"\n`);
  process.exit(2);
}
const steps = [
  ['build', ['node', 'scripts/build.mjs']],
  ['format and lint', ['npx', 'biome', 'ci', '--error-on-warnings', '.']],
  ['types', ['npx', 'tsc', '-p', 'tsconfig.json', '--noEmit']],
  ['generated code', ['node', 'scripts/check-gen.mjs']],
  ...tests,
];
const failed = [];
for (const [name, [command, ...args]] of steps) {
  process.stdout.write(`== ${name}\n`);
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (result.status !== 0) failed.push(name);
}
process.stdout.write(
  failed.length === 0 ? 'check: all good\n' : `check: failed: ${failed.join(', ')}\n`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
