// Envoy's health discovery service (HDS): a face of its own, since it is no part of the library.
export { attachHealthDiscovery, HEALTH_DISCOVERY_SERVICE } from './hds.js';
export type { HealthReport, HealthStream } from './hds-call.js';
