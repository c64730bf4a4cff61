// Whom a revocation of a service names, though the mesh may no longer know the service, or know it
// by another name.
import {
  findService,
  type Mesh,
  type ServiceName,
  splitServiceName,
  toNames,
  toSpiffeIds,
} from '../../policy/index.js';
import { toSpiffeId } from '../../spiffe/index.js';

/** All identities of a service; one that the mesh no longer declares had the one of its name. */
export function toRevokedSpiffeIds(mesh: Mesh, service: string): readonly string[] {
  const found = findService(mesh, service);
  if (found !== undefined) return toSpiffeIds(found);
  const { namespace, shortName } = splitServiceName(service);
  return [toSpiffeId({ trustDomain: mesh.trustDomain, namespace, serviceAccount: shortName })];
}

/** All names that the service of this one has or had in one of the meshes. */
export function toKnownNames(meshes: readonly Mesh[], name: string): readonly ServiceName[] {
  const names = meshes.flatMap((mesh) => {
    const service = findService(mesh, name);
    return service === undefined ? [] : toNames(service);
  });
  return [...new Set(names)];
}
