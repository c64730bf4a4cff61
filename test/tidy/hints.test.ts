import { expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/base/index.js';
import { HINTS } from '../../src/terminal/index.js';
import { SRC, some } from './files.js';
import { literalsOf, type Module, newErrorsOf } from './sources.js';

// Commands and flags are named by the command line, and for all other rooms by one table
// (src/terminal/hints.ts), which an error finds by its code and variant.

const NAMES_FLAGS = /^src\/(cli|demo|terminal)\//;
const FLAG = /(?<![\w-])--[a-z][a-z-]+/;
const COMMAND = /`countersign [a-z]|\bbootstrap --/;
/** What a file can say of how to begin one, or who wrote it, and what `revoked` means. */
const MAY_NAME_COMMANDS =
  /^src\/(policy\/(files|yaml|example)|compose\/write\/(mesh-text|override)|base\/error-codes)\./;
/** Options of other programs. */
const OTHERS: Readonly<Record<string, RegExp>> = {
  'src/compose/project/engine-config.ts': /^--[a-z-]+$/,
  // What containers run, in a file for Docker Compose.
  'src/compose/write/override.ts': /--concurrency/,
  'src/compose/write/sidecar.ts': /^--[a-z-]+=/,
  'src/compose/write/holder.ts': /^command: /,
};

const rooms = some(SRC.filter(({ path }) => !NAMES_FLAGS.test(path)));
const saying = (pattern: RegExp, modules: readonly Module[]): string[] =>
  modules.flatMap((module) =>
    literalsOf(module)
      .filter((text) => pattern.test(text) && OTHERS[module.path]?.test(text) !== true)
      .map((text) => `${module.path}: ${text}`),
  );

it('no room names a flag but through the table of hints', () => {
  expect(saying(FLAG, rooms)).toEqual([]);
});

it('no room names a command but through the table of hints', () => {
  const others = rooms.filter(({ path }) => !MAY_NAME_COMMANDS.test(path));
  expect(saying(COMMAND, others)).toEqual([]);
});

it('the table has a hint for each variant of an error, and none that no error finds', () => {
  const errors = some(SRC.flatMap(newErrorsOf));
  const codes = new Set(errors.flatMap((one) => one.codes));
  const variants = some(errors.flatMap((one) => one.variants));
  const keys = some(Object.keys(HINTS)).map((key) => key.split('/'));
  const known = new Set(keys.map(([, variant]) => variant));
  expect(variants.filter((variant) => !known.has(variant))).toEqual([]);
  expect(keys.filter(([code = '']) => !(code in ERROR_CODES) || !codes.has(code))).toEqual([]);
  // Those of `data-unwritable` in capitals are the system's.
  const named = keys.filter(([, variant]) => variant !== undefined && !/^E[A-Z]+$/.test(variant));
  expect(named.filter(([, variant = '']) => !variants.includes(variant))).toEqual([]);
});
