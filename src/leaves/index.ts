export {
  findHandedOut,
  forgetEnded,
  type HandingOut,
  lastHandedOutEndMs,
  listHandedOut,
  listHandedOutFiles,
  listUnreplaced,
  noteLostRecords,
  type OlderThan,
  readHandedOut,
  recordHandedOut,
} from './handed-out.js';
export { type CertificateOwner, CertificateOwners } from './holders.js';
export { LeafManager } from './leaf-manager.js';
export { LeafStore } from './leaf-store.js';
export { checkReceived } from './received.js';
export { type LeafSettings, mayBeInForce, toRenewAtMs } from './renewal.js';
export { createRenewalLog } from './renewal-log.js';
export {
  adoptRenewalFiles,
  orderRenewal,
  RENEW_LEAVES,
  type RenewalOrder,
  type RenewalReport,
} from './renewal-orders.js';
