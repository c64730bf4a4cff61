// The mesh that is in force, as the data folder has it: a face of its own, so that commands read it
// without loading the server.
import { z } from 'zod';
import type { MeshFile } from '../../policy/index.js';

export const STORED_MESH = 'mesh.json';

/** The files of the last mesh that was good. */
export type MeshFiles = readonly MeshFile[];

export const meshFilesSchema = z
  .array(z.strictObject({ path: z.string(), text: z.string() }))
  .min(1);
