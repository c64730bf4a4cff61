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
  type AuthorityOptions,
  createAuthority,
  loadAuthority,
  loadOrCreateAuthority,
  readTrustDomain,
} from './authority-store.js';
export { bundleNotedAtMs, noteBundle } from './bundle-note.js';
export { importLine, trustDomainOfCa } from './ca-import.js';
export {
  adoptCaFiles,
  askFinish,
  type CaProgress,
  FINISH_CA,
  offerLine,
  openOffer,
  ROOT_ALONE,
  TAKE_CA,
} from './ca-orders.js';
