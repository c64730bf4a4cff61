// What of a service is captured, as its mesh says. It is a file of its own because it loads the
// policy: a container that holds a network namespace names no service, and has its rules sooner.
import { MeshError } from '../base/index.js';
import { loadMesh, type Service } from '../policy/index.js';
import { requireMesh, usage } from './options.js';
import { count } from './problems.js';
import { parseService } from './service-argument.js';
import { findService } from './stored-mesh.js';

/** @throws MeshError mesh-invalid, service-unknown; usage where nothing of it is captured */
export function readCapturedService(text: string, meshPath: string | undefined): Service {
  const name = parseService(text);
  const { mesh, problems } = loadMesh(requireMesh(meshPath));
  if (mesh === undefined) {
    const errors = problems.filter(({ severity }) => severity === 'error');
    const message = `expected a good mesh but got ${count(errors.length, 'error')}`;
    throw new MeshError('mesh-invalid', message, { hint: 'see them by `countersign check`' });
  }
  const service = findService(mesh, name);
  const { inbound, outbound } = service.capture;
  if (service.sidecar && (inbound === 'transparent' || outbound === 'transparent')) return service;
  const got = service.sidecar ? `inbound ${inbound} and outbound ${outbound}` : 'no sidecar';
  throw usage(
    `expected a service with a transparent direction but "${name}" has ${got}`,
    'say capture: { inbound: transparent } in mesh.yaml, or name no service',
  );
}
