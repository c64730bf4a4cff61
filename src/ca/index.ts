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
export { type CaChain, createCaChain } from './authority-material.js';
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
export { importCaChain, trustDomainOfCa } from './ca-import.js';
