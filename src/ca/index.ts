export {
  type Authority,
  type CertifyRequest,
  type Leaf,
  type LeafCertificate,
  type LeafNames,
  type LeafRequest,
  LocalAuthority,
} from './authority.js';
export { type AuthorityInfo, toInfo } from './authority-facts.js';
export { type CaChain, createCaChain } from './authority-material.js';
export {
  type AuthorityOptions,
  createAuthority,
  loadAuthority,
  loadOrCreateAuthority,
  readAuthority,
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
