// The mesh that is in force, as the server stores it in the data folder.
import { closest, MeshError } from '../base/index.js';
import { createJsonStore, type DataDir } from '../data/index.js';
import {
  findService as findDeclared,
  type Mesh,
  parseMesh,
  type Service,
  type ServiceName,
} from '../policy/index.js';
import {
  meshFilesSchema,
  ROLLOUT_DOCUMENT,
  STORED_MESH,
  toRolloutRecord,
} from '../server/mesh/index.js';
import { type Output, writeLine } from '../terminal/index.js';

/**
 * @throws MeshError data-missing if no server has stored one yet; data-damaged, data-unreadable.
 */
export async function loadStoredMesh(dataDir: DataDir): Promise<Mesh> {
  const files = await createJsonStore({
    ...{ dataDir, name: STORED_MESH, schema: meshFilesSchema },
  }).read();
  if (files === undefined) {
    const message = `expected a mesh in force in ${dataDir.path} but there is none`;
    const hint = 'start `countersign serve` first, with the same --data';
    throw new MeshError('data-missing', message, { hint });
  }
  const { mesh } = parseMesh(files);
  if (mesh !== undefined) return mesh;
  // The server only stores good meshes, but a newer version's may contain what this one doesn't
  // know.
  throw new MeshError('data-damaged', `expected a good mesh in ${dataDir.path}/${STORED_MESH}`, {
    hint: 'use the version of countersign that the server runs',
  });
}

/** Undefined if no mesh is in force yet, or the stored one can't be read. */
export function tryStoredMesh(dataDir: DataDir): Promise<Mesh | undefined> {
  return loadStoredMesh(dataDir).catch((error: unknown) => {
    if (error instanceof MeshError) return undefined;
    throw error;
  });
}

/**
 * A token may be made before its service is declared, so that isn't an error, but a mistyped name
 * looks the same. Says nothing if no mesh is in force yet, or the stored one can't be read.
 */
export async function warnUndeclared(
  dataDir: DataDir,
  name: ServiceName,
  stderr: Output,
): Promise<void> {
  const stored = await tryStoredMesh(dataDir);
  const meshes = [...(await tryComingMeshes(dataDir)), ...(stored === undefined ? [] : [stored])];
  const [mesh] = meshes;
  if (mesh === undefined || meshes.some((one) => findDeclared(one, name) !== undefined)) return;
  writeLine(
    stderr,
    `warning: the mesh in force declares no service "${name}"${toMeant(mesh, name)}`,
  );
  writeLine(stderr, '  hint: its sidecar is refused until mesh.yaml declares it');
}

/** Those that a server is putting in force, the newest first. */
async function tryComingMeshes(dataDir: DataDir): Promise<readonly Mesh[]> {
  const store = createJsonStore({
    ...{ dataDir, ...ROLLOUT_DOCUMENT },
  });
  try {
    const stored = await store.read();
    if (stored === undefined) return [];
    return [toRolloutRecord(stored).wanted];
  } catch (error) {
    if (error instanceof MeshError) return [];
    throw error;
  }
}

/** @throws MeshError service-unknown */
export function findService(mesh: Mesh, name: ServiceName): Service {
  const service = findDeclared(mesh, name);
  if (service !== undefined) return service;
  const message = `the mesh declares no service "${name}"${toMeant(mesh, name)}`;
  throw new MeshError('service-unknown', message, {
    hint: 'its services are the keys under "services" in mesh.yaml',
  });
}

function toMeant(mesh: Mesh, name: ServiceName): string {
  const services = [...mesh.services.keys()];
  const shortName = name.split('/').at(-1);
  const elsewhere = services.filter((other) => other.split('/').at(-1) === shortName);
  const near = elsewhere.length === 1 ? elsewhere[0] : closest(name, services);
  return near === undefined ? '' : ` (did you mean "${near}"?)`;
}
