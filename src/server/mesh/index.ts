export { MeshProblems, MeshSource, type MeshState } from './mesh-source.js';
export { PHASE_DEADLINE_MS, type ProxyState, Rollout, STORE_RETRY_MS } from './rollout.js';
export {
  ROLLOUT_VERSION,
  type RolloutRecord,
  rolloutSchema,
  type StoredRollout,
  toRolloutRecord,
  toStoredRollout,
} from './rollout-record.js';
export { meshFilesSchema, STORED_MESH } from './stored-mesh.js';
