import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const NAME = '.countersign';

/** What `--data` is where it isn't given, for help. */
export const DEFAULT_DATA_WORDS = `${NAME} beside the mesh file (COUNTERSIGN_MESH), else here`;

/**
 * Where the data folder is by default: beside the mesh's files, so inside a folder of them. Without
 * a mesh (undefined or empty), in the working folder.
 */
export function toDefaultData(mesh: string | undefined): string {
  return mesh === undefined || mesh === '' ? NAME : join(folderOf(mesh), NAME);
}

/** The folder in which the mesh's files are; what can't be read is the server's to say. */
function folderOf(mesh: string): string {
  try {
    return statSync(mesh).isDirectory() ? mesh : dirname(mesh);
  } catch {
    return dirname(mesh);
  }
}
