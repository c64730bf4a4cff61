// Loopback addresses of services: pure, so that commands use them without loading the server.
export {
  assignIndexes,
  createOutboundIndexes,
  type IndexTable,
  indexTableSchema,
  type OutboundIndexes,
} from './outbound-index.js';
export {
  DEFAULT_OUTBOUND,
  type OutboundPrefix,
  parseOutboundPrefix,
  toOutboundAddress,
  tryOutboundAddress,
} from './outbound-prefix.js';
