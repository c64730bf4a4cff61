// What the test suite printed, kept for the search that ends a run (global-setup.ts): logs, command
// transcripts, answers. Beside it the numbers of keys that tests made, which must be in none.
import { createPrivateKey } from 'node:crypto';
import { appendFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const OUTPUT_FOLDER = join(import.meta.dirname, '../../.cache/test-output');
const OUTPUT = join(OUTPUT_FOLDER, `${process.pid}.log`);
export const KNOWN_ENDING = '.known';
const KNOWN = join(OUTPUT_FOLDER, `${process.pid}${KNOWN_ENDING}`);

mkdirSync(OUTPUT_FOLDER, { recursive: true });

/** Commands whose purpose is to print one. */
export const PRINTS_TOKENS: readonly string[] = ['token', 'bootstrap'];

/** Keeps what was printed; `from` says where, for who reads of a find. */
export function keepOutput(from: string, text: string): void {
  if (text !== '') appendFileSync(OUTPUT, `== ${from}\n${text}\n`);
}

/** Remembers the EC keys in the JSON files of a data folder. */
export function keepKnownKeys(folder: string): void {
  for (const name of jsonFiles(folder)) {
    const text = readFileSync(join(folder, name), 'utf8').replaceAll('\\n', '\n');
    const pems = text.match(/-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/g) ?? [];
    for (const pem of pems) keepKnownKey(pem);
  }
}

function jsonFiles(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
}

function keepKnownKey(pem: string): void {
  try {
    const { d } = createPrivateKey(pem).export({ format: 'jwk' });
    const hex = Buffer.from(d ?? '', 'base64url').toString('hex');
    if (hex.length === 64) appendFileSync(KNOWN, `${hex}\n`);
  } catch {
    // A test has damaged it.
  }
}
