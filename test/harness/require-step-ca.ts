import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';

const CACHE = fileURLToPath(new URL('../../.cache/step-ca/', import.meta.url));
const HINT = 'build it by `node scripts/fetch-step-ca.mjs`, or set STEP_CA_BIN';

/** STEP_CA_BIN, else the newest that scripts/fetch-step-ca.mjs has built. */
function findStepCa(): string | undefined {
  const given = process.env['STEP_CA_BIN'];
  if (given !== undefined) return given;
  const versions = existsSync(CACHE) ? readdirSync(CACHE).filter((name) => /^\d/.test(name)) : [];
  return versions
    .sort()
    .map((version) => join(CACHE, version, 'step-ca'))
    .filter((path) => existsSync(path))
    .at(-1);
}

/**
 * `describe` for tests against a real step-ca. Where none was built they are skipped, counted, and
 * carry the reason in their name; with STEP_CA_REQUIRED=1, as in CI, that is an error.
 */
export function describeStepCa(name: string, body: (binary: string) => void): void {
  const binary = findStepCa();
  if (binary !== undefined) {
    describe(name, () => body(binary));
    return;
  }
  if (process.env['STEP_CA_REQUIRED'] === '1') throw new Error(`expected a step-ca; ${HINT}`);
  // The body is collected too, so that each test it skips is counted; the binary is never run.
  describe.skip(`${name} [no step-ca: ${HINT}]`, () => body('none'));
}
