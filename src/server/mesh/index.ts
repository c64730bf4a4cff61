export { type AccessMarks, NO_ACCESS_MARKS, nextAccessMarks } from './access-marks.js';
export { MeshProblems, MeshSource, type MeshState } from './mesh-source.js';
export { PHASE_DEADLINE_MS, type ProxyState, Rollout, STORE_RETRY_MS } from './rollout.js';
export {
  type RolloutRecord,
  rolloutSchema,
  type StoredRollout,
  toStoredRollout,
  tryRolloutRecord,
} from './rollout-record.js';
export { meshFilesSchema, STORED_MESH } from './stored-mesh.js';
