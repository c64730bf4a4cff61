// The mesh that is in force, as the server stores it in the data folder.
import { closest, MeshError } from '../base/index.js';
import { type DataDir, parseStored } from '../identity/index.js';
import { type Mesh, parseMesh, type Service, type ServiceName } from '../policy/index.js';
import { meshFilesSchema, STORED_MESH } from '../server/stored-mesh/index.js';

/**
 * @throws MeshError data-missing where no server has stored one yet; data-damaged, data-unreadable.
 */
export async function loadStoredMesh(dataDir: DataDir): Promise<Mesh> {
  const files = await parseStored({ dataDir, name: STORED_MESH, schema: meshFilesSchema });
  if (files === undefined) {
    const message = `expected a mesh in force in ${dataDir.path} but there is none`;
    const hint = 'start `countersign serve` first, with the same --data';
    throw new MeshError('data-missing', message, { hint });
  }
  const { mesh } = parseMesh(files);
  if (mesh !== undefined) return mesh;
  // The server stores good meshes only; a newer version's may hold what this one doesn't know.
  throw new MeshError('data-damaged', `expected a good mesh in ${dataDir.path}/${STORED_MESH}`, {
    hint: 'use the version of countersign that the server runs',
  });
}

/** @throws MeshError service-unknown */
export function findService(mesh: Mesh, name: ServiceName): Service {
  const service = mesh.services.get(name);
  if (service !== undefined) return service;
  const near = closest(name, mesh.services.keys());
  const meant = near === undefined ? '' : ` (did you mean "${near}"?)`;
  throw new MeshError('service-unknown', `the mesh declares no service "${name}"${meant}`, {
    hint: 'its services are the keys under "services" in mesh.yaml',
  });
}
