export {
  INSTANCE_RULE,
  isNodeId,
  type NodeId,
  splitNodeId,
  splitNodeText,
  toNodeId,
  tryInstance,
} from './node-id.js';
export {
  parseSpiffeId,
  type SpiffeId,
  splitSpiffeId,
  toSpiffeId,
  toTrustDomainId,
  tryTrustDomain,
} from './spiffe-id.js';
