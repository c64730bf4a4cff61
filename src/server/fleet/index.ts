export { Fleet } from './fleet.js';
export { Members, type MemberView, type RefusedStream } from './members.js';
export { Publisher, type PublisherInput } from './publisher.js';
export { registrySchema, SidecarRegistry } from './registry.js';
export { type GoneSidecar, Roster } from './roster.js';
export type { SidecarStream } from './sidecar-stream.js';
