export {
  attachClientStatus,
  CLIENT_STATUS_SERVICE,
  type ClientStatusOptions,
} from './client-status.js';
export {
  attachDiscovery,
  type Discovery,
  type DiscoveryOptions,
  type ServiceRegistry,
} from './discovery.js';
export type { DiscoveryStream, StreamId, StreamKind, StreamUpdate } from './handle.js';
export {
  attachHealth,
  HEALTH_SERVICE,
  type Health,
  type HealthOptions,
  type HealthStatus,
} from './health.js';
export type { DiscoveryHooks, Logger } from './host.js';
export { DEFAULT_DISCOVERY_LIMITS, type DiscoveryLimits, serverOptions } from './limits.js';
export type { Caller, Peer } from './peer.js';
export { attachReflection, type ReflectionOptions } from './reflection.js';
export type { ResourceRejection, ResourceStatus } from './resource-status.js';
export {
  AGGREGATED_SERVICE,
  ALL_SERVICES,
  type DiscoveryService,
  TYPE_SERVICES,
} from './services.js';
export { type ShutdownOptions, type StoppableServer, shutdown } from './shutdown.js';
export { toStatus } from './status.js';
