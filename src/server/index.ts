export type { ProblemJson } from '../policy/index.js';
export { MeshProblems } from './mesh/index.js';
export { type RunningServer, type ServerOptions, startServer } from './server.js';
export type {
  HorizonStatus,
  ProxyStatus,
  RefusalStatus,
  ServerStatus,
  TypeStatus,
  WaitAnswer,
  WarningStatus,
} from './status/index.js';
