// `check --server`: a mesh against the sidecars that are connected to the running server. A service
// that was renamed or removed while its sidecars run passes every other check, and is an outage.
import { closest } from '../base/index.js';
import type { LoadedMesh, Problem } from '../policy/index.js';
import type { ServerStatus } from '../server/status/index.js';
import { ask } from './admin-client.js';
import type { ServerOptions } from './options.js';
import { count } from './problems.js';

/** So many sidecars are named in one problem. */
const NAMED = 5;

/**
 * The mesh with a warning for each service that has connected sidecars and is not declared.
 * @throws MeshError server-unreachable and what the server says
 */
export async function checkLiveSidecars(
  loaded: LoadedMesh,
  options: ServerOptions,
): Promise<LoadedMesh> {
  const { mesh, files } = loaded;
  if (mesh === undefined) return loaded;
  const { proxies } = (await ask({ ...options, path: '/v1/status' })) as ServerStatus;
  const nodes = new Map<string, string[]>();
  for (const { service, node } of proxies) {
    nodes.set(service, [...(nodes.get(service) ?? []), node]);
  }
  const declared: ReadonlySet<string> = new Set(mesh.services.keys());
  const fresh = [...declared].filter((service) => !nodes.has(service));
  const source = { file: files[0]?.path ?? '', line: 1, column: 1 };
  const problems = [...nodes]
    .filter(([service]) => !declared.has(service))
    .map(([service, all]): Problem => {
      const named = all.slice(0, NAMED).join(', ');
      const more = all.length > NAMED ? `, and ${all.length - NAMED} more` : '';
      const has = `it has ${count(all.length, 'connected sidecar')} (${named}${more})`;
      const near = closest(service, fresh);
      const renamed = near === undefined ? '' : `; if it is now "${near}", keep both for a while`;
      return {
        ...{ severity: 'warning', strict: true, source, path: `services.${service}` },
        message: `${has} and is not declared: calls to it would fail`,
        hint: `keep it until its sidecars are stopped${renamed}`,
      };
    });
  return { ...loaded, problems: [...loaded.problems, ...problems] };
}
