// `npm run soak`: what runs for longer than a test may, each part decided by a seed. Goes on with
// the next part where one fails, says how each is run again, and exits 1 where any failed.
//   npm run soak -- [--minutes 10] [--seed 1] [--only faults,walk,steps] [--pairs 3000]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const VITEST = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
const PARTS = ['faults', 'walk', 'steps'];
/** Of seeds that nobody gave. */
const MOST = 1_000_000;

function readOptions() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: process.env['SOAK_MINUTES'] ?? '10' },
      seed: { type: 'string', default: process.env['SOAK_SEED'] ?? String(Date.now() % MOST) },
      only: { type: 'string', default: PARTS.join(',') },
      pairs: { type: 'string', default: '3000' },
    },
  });
  const only = values.only.split(',');
  const unknown = only.find((part) => !PARTS.includes(part));
  if (unknown !== undefined) throw new Error(`--only: expected ${PARTS} but got "${unknown}"`);
  for (const name of ['minutes', 'pairs']) {
    if (!(Number(values[name]) > 0)) throw new Error(`--${name}: expected a number above 0`);
  }
  return { ...values, only };
}

/** What each part sets, and which tests it runs. */
function toParts({ minutes, seed, pairs }) {
  return {
    faults: {
      env: { SOAK: '1', SOAK_SEED: seed, SOAK_MINUTES: minutes },
      tests: ['test/soak'],
    },
    walk: {
      env: { WALK_SEED: seed, WALK_MINUTES: minutes },
      tests: ['test/walk/walk.test.ts'],
    },
    steps: {
      env: {
        ...{ EVERY_STEP: '1', CLOCK_MATRIX: '1', LEAF_RENEWALS: '24' },
        ...{ FUZZ_ROUNDS: '2000', FUZZ_INPUTS: '1000000' },
        ...{ PHASE_PAIRS: pairs, PHASE_SEED: String(Number.parseInt(seed, 10) || 1) },
      },
      tests: ['test/fuzz', 'test/phases', 'test/envoy/changes.test.ts', 'test/faults'],
    },
  };
}

const options = readOptions();
const parts = toParts(options);
const failed = [];
for (const name of options.only) {
  const { env, tests } = parts[name];
  const line = `${Object.entries(env)
    .map((pair) => pair.join('='))
    .join(' ')} npx vitest run ${tests.join(' ')}`;
  process.stderr.write(`soak, ${name}: ${line}\n`);
  const { status } = spawnSync(process.execPath, [VITEST, 'run', ...tests], {
    ...{ cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...env } },
  });
  if (status !== 0) failed.push(line);
}
for (const line of failed) process.stderr.write(`soak: failed: ${line}\n`);
process.exit(failed.length === 0 ? 0 : 1);
