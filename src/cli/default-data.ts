import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const NAME = '.countersign';

/** The default of `--data`, for the help. */
export const DEFAULT_DATA_WORDS = `${NAME} beside the mesh file (COUNTERSIGN_MESH), else here`;

/**
 * Where the data folder is by default: next to the mesh's files, or inside the folder if the mesh
 * is a folder. Without a mesh (undefined or empty), in the working folder.
 */
export function toDefaultData(mesh: string | undefined): string {
  return mesh === undefined || mesh === '' ? NAME : join(folderOf(mesh), NAME);
}

/** The folder that has the mesh's files. The server reports what can't be read. */
function folderOf(mesh: string): string {
  try {
    return statSync(mesh).isDirectory() ? mesh : dirname(mesh);
  } catch {
    return dirname(mesh);
  }
}
