export { DEPARTING_ROUTE } from './departing.js';
export {
  DRAIN_INSTANCE,
  DRAIN_STATE,
  type DrainReport,
  type DrainStage,
  UNDO_DRAIN,
} from './drain-orders.js';
