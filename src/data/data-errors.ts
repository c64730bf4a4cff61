// What the system refuses in the data folder, as errors that name the path and the way out.
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
