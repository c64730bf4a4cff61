export type { ProblemJson } from '../policy/index.js';
export type { HorizonStatus, WarningStatus } from './horizon-report.js';
export { MeshProblems } from './mesh-source.js';
export { type RunningServer, type ServerOptions, startServer } from './server.js';
export type { ProxyStatus, RefusalStatus, ServerStatus, TypeStatus } from './status.js';
export type { WaitAnswer } from './waiting.js';
