export { keptBytes } from './kept-bytes.js';
