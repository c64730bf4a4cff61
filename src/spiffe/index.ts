export {
  parseSpiffeId,
  type SpiffeId,
  splitSpiffeId,
  toSpiffeId,
  toTrustDomainId,
  tryTrustDomain,
} from './spiffe-id.js';
