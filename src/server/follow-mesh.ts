// From the mesh file to the rollout: each good mesh is put in force, each bad one is reported.
import type { Logger } from '../base/index.js';
import type { Mesh, ServiceName } from '../policy/index.js';
import type { OutboundIndexes } from './addresses/index.js';
import type { MeshSource, MeshState, Rollout } from './mesh/index.js';

/** So many sidecars are named in one line of the log. */
const NAMED = 5;

export interface FollowMeshOptions {
  readonly source: MeshSource;
  readonly indexes: OutboundIndexes;
  readonly rollout: Rollout;
  readonly logger: Logger;
  /** The connected sidecars. */
  readonly sidecars: () => Iterable<{ readonly node: string; readonly service: ServiceName }>;
  /** The file changed, or a new mesh begins to be put in force. */
  readonly onChange: () => void;
}

/** Begins to put the mesh in force, as it is and as it changes. */
export function followMesh(options: FollowMeshOptions): void {
  const { source, rollout, logger } = options;
  logProblems(source.state, logger);
  source.onChange((state) => takeMesh(state, options));
  source.pendingChanges.add(options.onChange);
  rollout.start(source.state.mesh);
  rollout.advance();
  source.start();
}

function takeMesh({ mesh, problems }: MeshState, options: FollowMeshOptions): void {
  const { source, indexes, rollout, logger, onChange } = options;
  onChange();
  if (logProblems({ problems }, logger)) return;
  logger.info({ mesh: mesh.version }, 'mesh changed');
  indexes
    .ensure(mesh.services.keys())
    .then(() => {
      // A newer mesh may have come while the indexes were stored.
      if (source.state.mesh !== mesh) return;
      rollout.start(mesh);
      rollout.advance();
      warnUndeclared(mesh, options);
      onChange();
    })
    .catch((err: unknown) => logger.error({ err }, 'the mesh could not be put in force'));
}

/** A service renamed or removed while its sidecars run is an outage that looks like an edit. */
function warnUndeclared(mesh: Mesh, { sidecars, logger }: FollowMeshOptions): void {
  const nodes = new Map<string, string[]>();
  for (const { service, node } of sidecars()) {
    if (mesh.services.has(service)) continue;
    nodes.set(service, [...(nodes.get(service) ?? []), node]);
  }
  for (const [service, all] of nodes) {
    const fields = { service, proxies: all.length, nodes: all.slice(0, NAMED) };
    logger.warn(fields, 'a service with connected sidecars is not declared: calls to it fail');
  }
}

/** Whether the file has errors, which are logged. */
function logProblems({ problems }: Pick<MeshState, 'problems'>, logger: Logger): boolean {
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return false;
  logger.error({ problems: errors }, 'the mesh has problems: the last good one stays in force');
  return true;
}
