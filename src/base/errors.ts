import type { ErrorCode } from './error-codes.js';
import { toShortText } from './foreign-text.js';

/** Where in a user's file something stands. Lines and columns count from 1. */
export interface SourceRef {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** `file:line:column`, the form that every message and `status` uses. */
export function toPlace(source: SourceRef): string {
  return `${source.file}:${source.line}:${source.column}`;
}

export interface MeshErrorOptions {
  readonly cause?: unknown;
  /** Path of the setting at fault, such as `services.web.ports.8080.mtls`. */
  readonly path?: string;
  /** What the user can do about the input itself, in one sentence. */
  readonly hint?: string;
  /**
   * Which case of its code this is, where what an operator can do depends on that. Commands and
   * flags are named by src/terminal/hints.ts alone, found by the code and this.
   */
  readonly variant?: string;
}

/** Characters of a message: it may quote what somebody else sent. */
const MAX_MESSAGE = 4_096;

/**
 * The one error class for what can go wrong by input or environment. Domain code knows no gRPC or
 * HTTP status: each edge maps `code` by a table of its own. A defect of ours is an `assert`, not a
 * MeshError.
 */
export class MeshError extends Error {
  override readonly name = 'MeshError';
  readonly code: ErrorCode;
  readonly path: string | undefined;
  readonly hint: string | undefined;
  readonly variant: string | undefined;

  constructor(code: ErrorCode, message: string, options: MeshErrorOptions = {}) {
    super(
      toShortText(message, MAX_MESSAGE),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.path = options.path;
    this.hint = options.hint;
    this.variant = options.variant;
  }
}

/** The system's error code (`ENOENT`, …) of an unknown thrown value, if it has one. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
