import { defineConfig } from 'vitest/config';

// `npm run test:examples`: what takes long because documents are followed to the letter. Needs root
// for hosts of its own (namespaces), and for docs/vm.md Debian's systemd.
export default defineConfig({
  test: {
    include: ['test/examples/**/*.test.ts'],
    globalSetup: ['test/secrets/global-setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    reporters: ['verbose'],
    maxWorkers: 1,
    maxConcurrency: 2,
  },
});
