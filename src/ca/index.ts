export {
  type Authority,
  type CertifyRequest,
  type Leaf,
  type LeafCertificate,
  type LeafNames,
  type LeafRequest,
  LocalAuthority,
} from './authority.js';
export type { CaStep } from './authority-change.js';
export { type AuthorityInfo, type RootChange, toInfo } from './authority-facts.js';
export {
  caChainSchema,
  fromCaChain,
  isPassphraseError,
  type StoredCaChain,
  toCaChain,
} from './authority-file.js';
export {
  type AuthorityTools,
  type CaChain,
  type ChangeGoal,
  caChainProblems,
  createCaChain,
} from './authority-material.js';
export {
  type AuthorityOptions,
  createAuthority,
  loadAuthority,
  loadOrCreateAuthority,
  readAuthority,
} from './authority-store.js';
export { importCaChain, trustDomainOfCa } from './ca-import.js';
