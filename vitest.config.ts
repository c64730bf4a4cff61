import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/secrets/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // scripts/test-summary.mjs reads the file.
    reporters: process.env['CI']
      ? ['verbose', ['json', { outputFile: '.cache/test-results.json' }]]
      : ['default'],
    maxWorkers: 2,
    // `--sequence.shuffle.tests` runs the tests of a file in an order of their own, `--no-isolate`
    // files in one worker: both find tests that need another one (test/envoy/drain does, so far).
  },
});
