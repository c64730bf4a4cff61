export { tcpExchange } from '../../src/demo/tcp-client.js';
export { eventually } from '../../src/demo/wait.js';
export { Cleanup } from './cleanup.js';
export { httpsGet, outcome, plainGet } from './clients.js';
export {
  createForeignCa,
  type ForeignCa,
  type KeyAndCertificate,
  type LeafOptions,
} from './foreign-ca.js';
export { createHarness, type Harness, useHarness } from './harness.js';
export {
  describeEnvoy,
  type EnvoyForTests,
  type EnvoySearch,
  requireEnvoy,
} from './require-envoy.js';
export { requirePostgres } from './require-postgres.js';
