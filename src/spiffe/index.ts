export { KEY_TYPES, type KeyType } from './key-type.js';
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
  isTrustDomain,
  isWorkloadId,
  isWorkloadIdPrefix,
  namespacePrefix,
  parseSpiffeId,
  type SpiffeId,
  serviceAccountPrefix,
  splitSpiffeId,
  toSpiffeId,
  toTrustDomainId,
  trustDomainPrefix,
  tryTrustDomain,
} from './spiffe-id.js';
