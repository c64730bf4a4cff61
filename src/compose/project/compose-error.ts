import { MeshError, type MeshErrorOptions, toShortText } from '../../base/index.js';

/** Where something stands in a compose file; the line where it is known. */
export interface ComposePlace {
  readonly file: string;
  readonly line?: number | undefined;
}

interface ComposeErrorOptions {
  readonly at?: ComposePlace | undefined;
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Characters of a name or value of the file in a message. */
const LONGEST_NAME = 64;

/** A compose file that breaks a rule: one line, with its place in front. */
export function composeInvalid(message: string, options: ComposeErrorOptions = {}): MeshError {
  return new MeshError('compose-invalid', placed(message, options), toOptions(options));
}

/** A compose file, or a file that it names, that can't be read. */
export function composeUnreadable(message: string, options: ComposeErrorOptions = {}): MeshError {
  return new MeshError('compose-unreadable', placed(message, options), toOptions(options));
}

function placed(message: string, { at }: ComposeErrorOptions): string {
  const line = at?.line === undefined ? '' : `:${at.line}`;
  return at === undefined ? message : `${at.file}${line}: ${message}`;
}

function toOptions({ hint, cause }: ComposeErrorOptions): MeshErrorOptions {
  return {
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  };
}

/** A name of the file as messages show it: quoted, cut, on one line. */
export function shownName(name: string): string {
  return `"${toShortText(name, LONGEST_NAME)}"`;
}
