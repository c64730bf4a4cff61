// Transparent capture, as the kernel does it: the rules, and the program that sets them.
export { findHolders, isLoopback, type Listening, listListening } from './listening.js';
export { applyRules, undoRules } from './nft.js';
export { CAPTURE_PORTS, DEFAULT_EXCLUDE } from './ports.js';
export { type CaptureRules, toRules } from './rules.js';
