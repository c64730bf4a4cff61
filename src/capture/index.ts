// Transparent capture, as the kernel does it: the rules, and the program that sets them.
export { FIRST_RULES } from './first-rules.js';
export { findHolders, isLoopback, type Listening, listListening } from './listening.js';
export { applyRules, undoRules } from './nft.js';
export { CAPTURE_PORTS, DEFAULT_EXCLUDE } from './ports.js';
export { type CaptureRules, toRules } from './rules.js';
