// What a document takes as given, typed on a host before it is followed.
import { expect } from 'vitest';
import type { Reader } from '../documents/index.js';

/** It has to end well. @returns What it printed. */
export async function type(reader: Reader, script: string): Promise<string> {
  const { code, printed } = await (await reader.terminal()).run(script);
  expect(code, printed).toBe(0);
  return printed;
}

/** A command that puts a program of the machine where the document expects it. */
export const bindAt = (program: string, path: string): string =>
  `[ -e ${path} ] || touch ${path}; mount --bind ${program} ${path}`;
