// `npm run check`: format, lint, types, tests (tidy among them), generated code. Runs all, then says which failed.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const steps = [
  ['build', ['node', 'scripts/build.mjs']],
  ['format and lint', ['npx', 'biome', 'ci', '--error-on-warnings', '.']],
  ['types', ['npx', 'tsc', '-p', 'tsconfig.json', '--noEmit']],
  ['generated code', ['node', 'scripts/check-gen.mjs']],
  [
    'tests',
    ['npx', 'vitest', 'run', ...(process.argv.includes('--fast') ? ['test/tidy.test.ts'] : [])],
  ],
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
