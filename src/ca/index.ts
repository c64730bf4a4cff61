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
  type AuthorityOptions,
  createAuthority,
  loadAuthority,
  loadOrCreateAuthority,
  readTrustDomain,
} from './authority-store.js';
export { bundleNotedAtMs, noteBundle } from './bundle-note.js';
export { importCaChain, trustDomainOfCa } from './ca-import.js';
export {
  adoptCaFiles,
  askFinish,
  type CaProgress,
  FINISH_CA,
  offerCaChain,
  openOffer,
  ROOT_ALONE,
  TAKE_CA,
} from './ca-orders.js';
