// Addresses of services and sidecars: pure, so that commands use them without loading the server.
export { ADDRESS_PROOFS, type AddressProof } from './address-proof.js';
export {
  type AddressRange,
  type AddressSet,
  toAddressSet,
  tryAddressRange,
  tryRangeText,
} from './address-range.js';
export { tryIpAddress } from './ip-address.js';
export { type Outbound, parseOutbound, toCalleeAddress, tryCalleeAddress } from './outbound.js';
export {
  assignIndexes,
  createOutboundIndexes,
  type IndexTable,
  indexTableSchema,
  type OutboundIndexes,
} from './outbound-index.js';
export { DEFAULT_OUTBOUND } from './outbound-prefix.js';
export { createOwnAddresses } from './own-addresses.js';
export { toSidecarAddress } from './sidecar-address.js';
export type { SidecarSite } from './sidecar-site.js';
