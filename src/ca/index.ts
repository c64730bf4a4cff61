export {
  type Authority,
  type AuthorityInfo,
  type CertifyRequest,
  type Leaf,
  type LeafCertificate,
  type LeafNames,
  type LeafRequest,
  LocalAuthority,
  toInfo,
} from './authority.js';
export { type CaLine, createLine } from './authority-material.js';
export {
  bundleNotedAtMs,
  isFinishAsked,
  loadOffer,
  noteBundle,
  offerLine,
  removeFinish,
  removeOffer,
  writeFinish,
} from './authority-next.js';
export {
  type AuthorityOptions,
  createAuthority,
  loadAuthority,
  loadOrCreateAuthority,
  readTrustDomain,
} from './authority-store.js';
export { importLine, trustDomainOfCa } from './ca-import.js';
