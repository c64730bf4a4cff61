#!/usr/bin/env node
import { systemIo } from '../terminal/index.js';
import { run } from './program.js';

const code = await run(process.argv.slice(2), systemIo());
await Promise.all([process.stdout, process.stderr].map(drained));
process.exit(code);

/** Resolves when everything written has gone out, or can no longer go out. */
function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}
