// Files that mesh.yaml names: small, regular, read whole. What is wrong is reported with the
// setting that names the file, and never with a word of what is in it.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { MeshError, systemErrorCode } from '../../base/index.js';

const MAX_BYTES = 256 * 1024;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'nothing at all',
  EACCES: 'no permission',
  ENOTDIR: 'a file where a folder should be',
  EISDIR: 'a folder',
};

/** @throws MeshError outside-ca-invalid */
export async function readSmallFile(
  file: string,
  { what, path }: { readonly what: string; readonly path: string },
): Promise<string> {
  const refuse = (got: string): MeshError =>
    new MeshError('outside-ca-invalid', `expected ${what} in ${file} but got ${got}`, {
      path,
      hint: 'correct the path in mesh.yaml; it is relative to the file that names it',
    });
  try {
    // A pipe without a writer would block for ever.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size, isFile } = await handle
        .stat()
        .then((s) => ({ size: s.size, isFile: s.isFile() }));
      if (!isFile) throw refuse('something other than a file');
      if (size > MAX_BYTES) throw refuse(`more than ${MAX_BYTES} bytes`);
      return (await handle.readFile()).toString('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof MeshError) throw error;
    const code = systemErrorCode(error) ?? 'an unknown error';
    throw refuse(REASONS[code] ?? code);
  }
}
