import { strict as assert } from 'node:assert';
import { listFiles, type Module, readModule } from './sources.js';

// The files that the tidy checks look at. Each list has something in it: a check that looks at
// nothing proves nothing.

export function some<T>(items: readonly T[]): readonly T[] {
  assert(items.length > 0, 'a check that looks at nothing proves nothing');
  return items;
}

export const FILES = some(listFiles());
export const MODULES: readonly Module[] = some(
  FILES.filter((path) => /^(src|test)\/.*\.ts$/.test(path)),
).map(readModule);
export const SRC = some(MODULES.filter(({ path }) => path.startsWith('src/')));
export const TESTS = some(MODULES.filter(({ path }) => path.startsWith('test/')));
export const SCRIPTS = some(FILES.filter((path) => /^(scripts|bench)\/.*\.mjs$/.test(path))).map(
  readModule,
);
