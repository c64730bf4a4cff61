export { passIssuerGate } from './issuer-gate.js';
export { RevocationSource, type RevocationState } from './revocation-source.js';
export { type RevocationStatus, toRevocationStatuses } from './revocation-status.js';
export { toApplicant, toRevoked } from './revoked.js';
export { toKnownNames } from './revoked-identity.js';
export { ShutOut } from './shut-out.js';
