// Whom a revocation of a service names, though the mesh may no longer know the service.
import type { Mesh, ServiceName } from '../../policy/index.js';
import { toSpiffeId } from '../../spiffe/index.js';

/** The identity of a service; one that the mesh no longer declares had the one of its name. */
export function toRevokedSpiffeId(mesh: Mesh, service: string): string {
  const found = mesh.services.get(service as ServiceName);
  if (found !== undefined) return found.spiffeId;
  const [serviceAccount = '', namespace = 'default'] = service.split('/').reverse();
  return toSpiffeId({ trustDomain: mesh.trustDomain, namespace, serviceAccount });
}
