// What the system refuses in the data folder, as errors that name the path and the way out.
import { join } from 'node:path';
import { MeshError, systemErrorCode } from '../base/index.js';

/** Does the work; what the system refuses is `data-unwritable`. */
export async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof MeshError ? error : unwritable(path, error);
  }
}

/** What the system says of a disk or a right: hints know what to do about each. */
const REFUSALS: readonly string[] = ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR'];

/** As a variant of `data-unwritable`; undefined where nothing better is known. */
export function toRefusal(code: string | undefined): string | undefined {
  return REFUSALS.find((one) => one === code);
}

export function unwritable(path: string, error: unknown): MeshError {
  const code = systemErrorCode(error);
  return new MeshError(
    'data-unwritable',
    `expected to write ${path} but got ${code ?? 'an error'}`,
    {
      cause: error,
      ...asVariant(toRefusal(code)),
    },
  );
}

export function unreadable(path: string, error: unknown): MeshError {
  const code = systemErrorCode(error);
  return new MeshError(
    'data-unreadable',
    `expected to read ${path} but got ${code ?? 'an error'}`,
    { cause: error },
  );
}

function asVariant(variant: string | undefined): { variant?: string } {
  return variant === undefined ? {} : { variant };
}

/**
 * The error for content that is not what was stored; `what` says what was expected, without
 * content.
 */
export function damaged(options: {
  readonly dataDir: { readonly path: string };
  readonly name: string;
  readonly what: string;
  readonly cause?: unknown;
}): MeshError {
  const { dataDir, name, what, cause } = options;
  const [top = name] = name.split('/');
  return new MeshError('data-damaged', `${join(dataDir.path, name)}: ${what}`, {
    cause,
    // By the file or its folder: the way on differs.
    variant: oneOf(top, [
      'authority.json',
      'token-keys.json',
      'xds-anchor.json',
      'revocations',
      'file',
    ]),
  });
}

/** A name that is among those with a hint of its own; else the last of them. */
function oneOf(name: string, known: readonly string[]): string {
  return known.find((one) => one === name) ?? known.at(-1) ?? name;
}

/** The folder that was opened no longer stands under its name: nothing of it can be told there. */
export function replaced(path: string, verb: 'read' | 'write'): MeshError {
  const code = verb === 'read' ? 'data-unreadable' : 'data-unwritable';
  const message = `expected to ${verb} the data folder ${path} but it was moved away or replaced`;
  return new MeshError(code, message, { variant: 'replaced' });
}
