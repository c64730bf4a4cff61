export { type BindTrouble, toBindHint } from './bind-hints.js';
export { COMMANDS, HINTS, hintOf } from './hints.js';
export {
  type Context,
  type ExitCode,
  guardOutput,
  type Io,
  type Output,
  systemIo,
  writeLine,
} from './io.js';
export { toTable } from './table.js';
