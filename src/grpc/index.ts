export {
  attachDiscovery,
  type Discovery,
  type DiscoveryHooks,
  type DiscoveryOptions,
  type Logger,
  type ServiceRegistry,
} from './discovery.js';
export { DEFAULT_DISCOVERY_LIMITS, type DiscoveryLimits, serverOptions } from './limits.js';
export type { Peer } from './peer.js';
export { type ShutdownOptions, type StoppableServer, shutdown } from './shutdown.js';
export { toStatus } from './status.js';
export type { DiscoveryStream, StreamId, StreamUpdate } from './stream.js';
