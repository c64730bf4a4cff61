import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // `npm run test:compose` and `test:examples`, with configurations of their own; `npm run soak`.
    exclude: [
      'test/compose/**',
      'test/examples/**',
      ...(process.env['SOAK'] === '1' ? [] : ['test/soak/soak.test.ts']),
    ],
    globalSetup: ['test/secrets/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // scripts/test-summary.mjs reads the file.
    reporters: process.env['CI']
      ? ['verbose', ['json', { outputFile: '.cache/test-results.json' }]]
      : ['default'],
    maxWorkers: 2,
    // A worker keeps what it has loaded for its next file, which halves the time of unit tests: a
    // test takes back whatever it changes of the process, and doesn't ask how old that is.
    isolate: false,
    // The tests of a file run in an order of their own, so that none needs the one before it; vitest
    // prints the seed, and --sequence.seed=N is another order.
    sequence: { shuffle: { files: false, tests: true }, seed: 20_261_128 },
  },
});
