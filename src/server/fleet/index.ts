export { Fleet } from './fleet.js';
export { Members, type MemberView } from './members.js';
export { Publisher, type PublisherInput } from './publisher.js';
export { registrySchema, SidecarRegistry } from './registry.js';
