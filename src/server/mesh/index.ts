export { type AccessMarks, marksOfAll, NO_ACCESS_MARKS } from './access-marks.js';
export type { MeshInForce } from './mesh-in-force.js';
export { MeshProblems, MeshSource, type MeshState, type PendingEdit } from './mesh-source.js';
export { Rollout } from './rollout.js';
export { ROLLOUT_ORDERS, type RolloutReport } from './rollout-orders.js';
export {
  ROLLOUT_DOCUMENT,
  type StoredRollout,
  toRolloutRecord,
  toStoredRollout,
} from './rollout-record.js';
export { STAGE_DEADLINE_MS, STORE_RETRY_MS, Staged } from './staged.js';
export { StepLog } from './step-log.js';
export { meshFilesSchema, STORED_MESH } from './stored-mesh.js';
export { takeRolloutOrders } from './take-rollout-orders.js';
export type { ProxyState } from './track.js';
export { type RolloutRecord, settledTracks } from './tracks.js';
