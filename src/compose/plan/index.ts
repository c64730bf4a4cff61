export type * from './mesh-plan.js';
export { type PlanOptions, planMesh } from './plan-mesh.js';
