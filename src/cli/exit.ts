// Errors as text and exit code: the one place that maps them.
import { CommanderError } from 'commander';
import { type ErrorCode, MeshError } from '../base/index.js';
import { type ExitCode, hintOf, type Io, writeLine } from '../terminal/index.js';

/** Any other code means that the answer is no: 1. */
const EXIT_OF: Partial<Record<ErrorCode, ExitCode>> = {
  usage: 2,
  'mesh-invalid': 2,
  'mesh-unreadable': 2,
  'server-unreachable': 3,
  'order-unanswered': 3,
};

/** Commander's codes for help that was asked for. */
const ASKED_FOR: readonly string[] = [
  'commander.help',
  'commander.helpDisplayed',
  'commander.version',
];

/** Prints on stderr what went wrong, with the hint on a line of its own. */
export function reportError(error: unknown, io: Pick<Io, 'stderr'>): ExitCode {
  if (error instanceof CommanderError) {
    // Commander has printed it. A call without any command also ends with `commander.help`: code 1.
    return ASKED_FOR.includes(error.code) && error.exitCode === 0 ? 0 : 2;
  }
  if (error instanceof MeshError) {
    writeLine(io.stderr, formatError(error));
    return EXIT_OF[error.code] ?? 1;
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  writeLine(io.stderr, `internal error: ${detail}`);
  return 1;
}

/** `error: expected … but got …`, then the hint. */
export function formatError(error: MeshError): string {
  const line = `error: ${error.message}`;
  const hint = hintOf(error);
  return hint === undefined ? line : `${line}\n  hint: ${hint}`;
}
