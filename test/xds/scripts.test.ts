import { expect, test } from 'vitest';
import { createReducerBackend } from './reducer-backend.js';
import { runScript } from './script.js';
import { DELTA_SCRIPTS, SOTW_SCRIPTS } from './scripts.js';

const scripts = [...SOTW_SCRIPTS, ...DELTA_SCRIPTS];

test('there are scripts for both variants, with unique names', () => {
  expect(SOTW_SCRIPTS.length).toBeGreaterThan(0);
  expect(DELTA_SCRIPTS.length).toBeGreaterThan(0);
  const names = scripts.map(({ name, variant }) => `${variant}: ${name}`);
  expect(new Set(names).size).toBe(names.length);
});

test.each(scripts)('$variant: $name', async (script) => {
  await runScript(script, createReducerBackend(script.variant));
});
