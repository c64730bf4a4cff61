export { eventually, tcpExchange } from '../../../src/demo/index.js';
export {
  createForeignCa,
  type ForeignCa,
  type KeyAndCertificate,
  type LeafOptions,
} from './certificates.js';
export { Cleanup } from './cleanup.js';
export { httpsGet, outcome, plainGet } from './clients.js';
export { createHarness, type Harness, useHarness } from './harness.js';
export {
  describeEnvoy,
  type EnvoyForTests,
  type EnvoySearch,
  requireEnvoy,
} from './require-envoy.js';
export { requirePostgres } from './require-postgres.js';
