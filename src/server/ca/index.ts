export { CaChange } from './ca-change.js';
export { takeCaOrders } from './ca-orders.js';
export type { CaPhase } from './ca-phase.js';
export type { CaProxy } from './ca-steps.js';
export { takeRenewalOrders } from './carry-out-renewals.js';
export { startSweep } from './handed-out-sweep.js';
export { IssuerRenewal } from './issuer-renewal.js';
export { type OpenedAuthority, openAuthority } from './open-authority.js';
