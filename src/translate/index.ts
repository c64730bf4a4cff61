export type { Registry, SidecarEndpoint } from './callees.js';
export { toCapturedOutbound } from './capture-outbound.js';
export { toForms } from './forms.js';
export { checkedPorts, toCheckName, toHealthSpecifier } from './health-specifier.js';
export type { Listen } from './listen.js';
export { assertNoLoop } from './loop.js';
export {
  ANCHORS_SECRET,
  DISCOVERY_TYPES,
  IDENTITY_SECRET,
  isApplicationCluster,
  isCaptureListener,
  isInboundListener,
  isServingListener,
  toClusterName,
} from './names.js';
export { placeCallees } from './placing.js';
export { NOTHING_REVOKED, type Revoked } from './revoked.js';
export {
  type Callers,
  toAskedSecrets,
  toCallers,
  toSecrets,
} from './secrets.js';
export { assertTranslatable } from './translatable.js';
export { translateNode, translateService } from './workload.js';
