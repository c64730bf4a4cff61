export { Fleet, type MemberView } from './fleet.js';
export { Publisher, type PublisherInput } from './publisher.js';
export { registrySchema, SidecarRegistry } from './registry.js';
