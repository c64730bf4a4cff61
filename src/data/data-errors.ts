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

const WRITE_HINTS: Readonly<Record<string, string>> = {
  EACCES: 'give this user the right to write there, or name another folder by --data',
  EPERM: 'give this user the right to write there, or name another folder by --data',
  EROFS: 'the file system is read-only: mount it writable, or name another folder by --data',
  ENOSPC: 'the disk is full: make room, then start again',
  EDQUOT: 'the disk quota is used up: make room, then start again',
  ENOTDIR: 'a part of that path is a file: name another folder by --data',
};

/** What to do about a system's refusal to write; undefined where nothing better is known. */
export function writeHint(code: string | undefined): string | undefined {
  return WRITE_HINTS[code ?? ''];
}

export function unwritable(path: string, error: unknown): MeshError {
  const code = systemErrorCode(error);
  return new MeshError(
    'data-unwritable',
    `expected to write ${path} but got ${code ?? 'an error'}`,
    {
      cause: error,
      hint: writeHint(code) ?? 'name another folder by --data',
    },
  );
}

export function unreadable(path: string, error: unknown): MeshError {
  const code = systemErrorCode(error);
  return new MeshError(
    'data-unreadable',
    `expected to read ${path} but got ${code ?? 'an error'}`,
    {
      cause: error,
      hint: 'give this user the right to read it, or name another folder by --data',
    },
  );
}
