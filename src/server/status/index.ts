export { createAdminServer } from './admin.js';
export { createApi } from './api.js';
export type { Horizon } from './horizon.js';
export type { HorizonStatus, WarningStatus } from './horizon-report.js';
export { HorizonWatch } from './horizon-watch.js';
export type {
  PendingEditStatus,
  ProxyStatus,
  RefusalStatus,
  ServerStatus,
  TypeStatus,
} from './status.js';
export type { WaitAnswer } from './waiting.js';
