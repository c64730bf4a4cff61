import { defineConfig } from 'vitest/config';

// `npm run test:compose`: needs a Docker engine, or root and Debian's docker.io to start one.
export default defineConfig({
  test: {
    include: ['test/compose/**/*.test.ts'],
    globalSetup: ['test/compose/engine.ts'],
    testTimeout: 300_000,
    hookTimeout: 600_000,
    reporters: ['verbose'],
    maxWorkers: 1,
    // An engine that a test started anew lives as long as the worker that did: one for all files.
    isolate: false,
  },
});
