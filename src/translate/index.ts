export type { SidecarEndpoint } from './callees.js';
export { checkedPorts, toCheckName, toHealthSpecifier } from './health-specifier.js';
export type { Listen } from './listen.js';
export { assertNoLoop } from './loop.js';
export {
  ANCHORS_SECRET,
  DISCOVERY_TYPES,
  IDENTITY_SECRET,
  isInboundListener,
  toClusterName,
} from './names.js';
export { placeCallees } from './placing.js';
export { NOTHING_REVOKED, type Revoked } from './revoked.js';
export {
  type Callers,
  type CallersInput,
  toAskedSecrets,
  toCallers,
  toSecrets,
  type WorkloadSecrets,
} from './secrets.js';
export {
  type NodeInput,
  type Registry,
  type ServiceInput,
  translateNode,
  translateService,
} from './workload.js';
