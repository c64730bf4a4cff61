// Finds or downloads a stock Envoy and prints its path; with arguments, one of each version named.
// Runs after the build: the search itself is src/demo/find-envoy.ts, which the demo and the
// tests use too.
import { findEnvoy } from '../dist/demo/find-envoy.js';

const versions = process.argv.length > 2 ? process.argv.slice(2) : [undefined];
try {
  for (const version of versions) {
    const onDownload = (wanted) => process.stderr.write(`downloading Envoy ${wanted}\n`);
    process.stdout.write(`${await findEnvoy({ ...(version ? { version } : {}), onDownload })}\n`);
  }
} catch (error) {
  process.stderr.write(`no Envoy: ${error.message}\n`);
  if (error.hint) process.stderr.write(`hint: ${error.hint}\n`);
  process.exitCode = process.env.CI === 'true' ? 1 : 0;
}
