export { type MeshYaml, toMeshYaml } from './mesh-yaml.js';
export { isOverride, toOverride } from './override.js';
export { trySubnets } from './subnets.js';
export { type Wiring, wire } from './wiring.js';
