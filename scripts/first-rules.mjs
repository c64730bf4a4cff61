// Writes the rules that a holder's container begins with into a folder, for the image "capture".
// Usage: node scripts/first-rules.mjs <folder>, after the build.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FIRST_RULES } from '../dist/capture/index.js';

const [folder] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
for (const [name, text] of FIRST_RULES) writeFileSync(join(folder, name), text);
