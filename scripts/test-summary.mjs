// Reads what vitest wrote as JSON (CI=true) and prints the one line that a CI system looks for,
// last: `N passed, N failed`, and `, N skipped` where some were. A file that could not be loaded
// counts as a failed test, and so does a skipped test of real Envoys, since a proof that wasn't
// made is none.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The text that test/harness puts into the name of what it skips. */
const SKIPPED_ENVOY = '[skipped:';
const file = fileURLToPath(new URL('../.cache/test-results.json', import.meta.url));

function read() {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).testResults;
  } catch (error) {
    process.stdout.write(`no test results: ${error.message}\n`);
    return [];
  }
}

const files = read();
const tests = files.flatMap(({ assertionResults }) => assertionResults);
const count = (...states) => tests.filter(({ status }) => states.includes(status)).length;
const broken = files.filter(
  ({ status, assertionResults }) =>
    status === 'failed' && !assertionResults.some((one) => one.status === 'failed'),
);
const unproven = tests.filter(
  ({ status, fullName }) => status !== 'passed' && fullName.includes(SKIPPED_ENVOY),
);
for (const { name } of broken) process.stdout.write(`could not be run: ${name}\n`);
for (const { fullName } of unproven) process.stdout.write(`skipped, but needed: ${fullName}\n`);
const failed = count('failed') + broken.length + unproven.length;
const skipped = count('skipped', 'pending', 'todo', 'disabled') - unproven.length;
const passed = count('passed');
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
process.stdout.write(
  `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}\n`,
);
