export { CaChange, type CaPhase, type CaProxy } from './ca-change.js';
export { takeRenewalOrders } from './carry-out-renewals.js';
export { startSweep } from './handed-out-sweep.js';
export { IssuerRenewal } from './issuer-renewal.js';
export { type OpenedAuthority, openAuthority } from './open-authority.js';
