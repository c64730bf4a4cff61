// From the mesh file to the rollout: each good mesh is put in force, each bad one is reported. One
// that can't be put in force now (its indexes can't be stored) is tried again until it can, or
// until a newer one is there.
import { type Cancel, type Clock, type Logger, SECOND_MS } from '../base/index.js';
import { findService, type Mesh, type ServiceName } from '../policy/index.js';
import type { OutboundIndexes } from './addresses/index.js';
import type { MeshSource, MeshState, Rollout } from './mesh/index.js';

/** So many sidecars are named in one line of the log. */
const NAMED = 5;

export interface FollowMeshOptions {
  readonly source: MeshSource;
  readonly indexes: OutboundIndexes;
  readonly rollout: Rollout;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The connected sidecars. */
  readonly sidecars: () => Iterable<{ readonly node: string; readonly service: ServiceName }>;
  /** The file changed, or a new mesh begins to be put in force. */
  readonly onChange: () => void;
}

const FIRST_RETRY_MS = 2 * SECOND_MS;
const LAST_RETRY_MS = 60 * SECOND_MS;

/** Begins to put the mesh in force, as it is and as it changes; the result ends that. */
export function followMesh(options: FollowMeshOptions): Cancel {
  const { source, rollout, logger } = options;
  const retry = { cancel: (): void => undefined, isStopped: false, taken: source.state.mesh };
  logProblems(source.state, logger);
  source.onChange((state) => takeMesh(state, { ...options, retry }));
  source.pendingChanges.add(options.onChange);
  rollout.start(source.state.mesh);
  rollout.advance();
  logHeldEdit(options);
  if (rollout.isPaused) logger.warn({}, 'the rollout is paused, since before this start');
  source.start();
  return () => {
    retry.isStopped = true;
    retry.cancel();
  };
}

interface Retry {
  taken: Mesh;
  cancel: Cancel;
  isStopped: boolean;
}

type Taking = FollowMeshOptions & { readonly retry: Retry };

function takeMesh({ mesh, problems }: MeshState, options: Taking): void {
  const { logger, onChange, retry } = options;
  onChange();
  logProblems({ problems }, logger);
  if (mesh === retry.taken) return;
  retry.taken = mesh;
  // One that can't be read leaves the one before waiting.
  retry.cancel();
  logger.info({ mesh: mesh.version }, 'mesh changed');
  putInForce(mesh, options);
}

function putInForce(mesh: Mesh, options: Taking, failures = 0): void {
  const { source, indexes, rollout, clock, logger, onChange, retry } = options;
  indexes
    .ensure(mesh.services.values())
    .then(() => {
      // A newer mesh may have come while the indexes were stored.
      if (source.state.mesh !== mesh) return;
      rollout.start(mesh);
      rollout.advance();
      logHeldEdit(options);
      warnUndeclared(mesh, options);
      onChange();
    })
    .catch((err: unknown) => {
      logger.error({ err }, 'the mesh could not be put in force: it is tried again');
      if (retry.isStopped || source.state.mesh !== mesh) return;
      const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** failures, LAST_RETRY_MS);
      retry.cancel = clock.after(pauseMs, () => putInForce(mesh, options, failures + 1));
    });
}

function logHeldEdit({ rollout, logger }: FollowMeshOptions): void {
  const { heldEdit } = rollout;
  if (heldEdit === undefined) return;
  const { version: mesh, why } = heldEdit;
  const text = 'an edit of the mesh is held back: what was stays in force';
  if (why === 'manual') logger.info({ mesh, why }, text);
  else logger.warn({ mesh, why }, text);
}

/** A service removed while its sidecars run may be one that was renamed without `formerly`. */
function warnUndeclared(mesh: Mesh, { sidecars, logger }: FollowMeshOptions): void {
  const nodes = new Map<string, string[]>();
  for (const { service, node } of sidecars()) {
    if (findService(mesh, service) !== undefined) continue;
    nodes.set(service, [...(nodes.get(service) ?? []), node]);
  }
  for (const [service, all] of nodes) {
    const fields = { service, proxies: all.length, nodes: all.slice(0, NAMED) };
    logger.warn(fields, 'a service with connected sidecars is not declared: they are drained');
  }
}

function logProblems({ problems }: Pick<MeshState, 'problems'>, logger: Logger): void {
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return;
  logger.error({ problems: errors }, 'the mesh has problems: the last good one stays in force');
}
