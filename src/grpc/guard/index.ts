export { type CallGuardOptions, createCallGuard, type Origin, toAddress } from './call-guard.js';
export { letGo, tryHttp2Stream } from './stream-below.js';
export { Turns } from './turns.js';
