import { expect, test } from 'vitest';
import { ONE_TYPE_SCRIPTS } from './one-type-scripts.js';
import { createReducerBackend } from './reducer-backend.js';
import { runScript, type Script, SHORT } from './script.js';
import { DELTA_SCRIPTS, SOTW_SCRIPTS, TTL_SCRIPTS } from './scripts.js';

const scripts = [...SOTW_SCRIPTS, ...DELTA_SCRIPTS, ...ONE_TYPE_SCRIPTS, ...TTL_SCRIPTS];

const toTitle = ({ name, variant, only }: Script): string =>
  `${variant}${only === undefined ? '' : ` ${only} alone`}: ${name}`;

test('there are scripts for each transport, with unique names', () => {
  expect(SOTW_SCRIPTS.length).toBeGreaterThan(0);
  expect(DELTA_SCRIPTS.length).toBeGreaterThan(0);
  for (const variant of ['sotw', 'delta']) {
    expect(ONE_TYPE_SCRIPTS.some((script) => script.variant === variant)).toBe(true);
  }
  const names = scripts.map(toTitle);
  expect(new Set(names).size).toBe(names.length);
});

test.each(scripts.map((script) => [toTitle(script), script] as const))('%s', async (_, script) => {
  const { variant, only } = script;
  await runScript(script, createReducerBackend(variant, only && SHORT[only]));
});
