// Runs around the whole suite: empties the folder that outputs are kept in, and at the end searches
// it, the logs of failed tests and the goldens for private keys and tokens. A find fails the run.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/base/index.js';
import { OUTPUT_FOLDER } from './output.js';
import { search } from './search.js';

const ROOT = join(import.meta.dirname, '../..');

let sinceMs = 0;

export function setup(): void {
  sinceMs = systemClock.now();
  rmSync(OUTPUT_FOLDER, { recursive: true, force: true });
  mkdirSync(OUTPUT_FOLDER, { recursive: true });
}

export function teardown(): void {
  const { told, counts } = search({
    outputs: OUTPUT_FOLDER,
    failureLogs: join(ROOT, '.cache/test-logs'),
    goldens: join(ROOT, 'test/goldens'),
    sinceMs,
  });
  const searched = `${counts.outputs} outputs, ${counts.goldens} goldens, ${counts.keys} keys`;
  if (counts.goldens === 0) throw new Error('expected goldens to search but there are none');
  if (told.length === 0) {
    process.stdout.write(`secrets: none in what the tests printed (${searched})\n`);
    return;
  }
  process.exitCode = 1;
  throw new Error(`secrets in what the tests printed (${searched}):\n${told.join('\n')}`);
}
