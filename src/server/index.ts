export { MeshProblems } from './mesh-source.js';
export type { ProblemJson } from './problems.js';
export { type RunningServer, type ServerOptions, startServer } from './server.js';
export type { ProxyStatus, ServerStatus, TypeStatus } from './status.js';
export type { WaitAnswer } from './waiting.js';
