// What commands order about the rollout (rollout-orders.ts), carried out.
import { type Logger, MeshError } from '../../base/index.js';
import type { Answered, OrderDesk } from '../../data/orders/index.js';
import type { MeshSource } from './mesh-source.js';
import type { Rollout } from './rollout.js';
import { ROLLOUT_ORDERS, type RolloutReport } from './rollout-orders.js';

export interface RolloutOrdersOptions {
  readonly rollout: Pick<
    Rollout,
    | 'apply'
    | 'pause'
    | 'resume'
    | 'abort'
    | 'isPaused'
    | 'heldEdit'
    | 'held'
    | 'steps'
    | 'inForce'
    | 'record'
  >;
  readonly source: Pick<MeshSource, 'check' | 'state'>;
  readonly logger: Logger;
}

/** Takes orders about the rollout from now on. */
export function takeRolloutOrders(desk: OrderDesk, options: RolloutOrdersOptions): void {
  const { rollout, logger } = options;
  desk.register(ROLLOUT_ORDERS.apply, () => applyMesh(options));
  desk.register(ROLLOUT_ORDERS.pause, async () => {
    const changed = !rollout.isPaused;
    await rollout.pause();
    if (changed) logger.warn({}, 'paused: no step is taken and no edit, until it is resumed');
    return { state: 'done', report: toReport(rollout, changed) };
  });
  desk.register(ROLLOUT_ORDERS.resume, async () => {
    const changed = rollout.isPaused;
    await rollout.resume();
    if (changed) logger.info({}, 'resumed');
    return { state: 'done', report: toReport(rollout, changed) };
  });
  desk.register(ROLLOUT_ORDERS.abort, async ({ givenAtMs }) => {
    const changed = rollout.steps.length > 0 || rollout.heldEdit?.why === 'paused';
    await rollout.abort(givenAtMs);
    const report = toReport(rollout, changed);
    if (changed) logger.warn({ held: report.held }, 'aborted: what ran goes back');
    return { state: 'done', report };
  });
}

async function applyMesh({
  rollout,
  source,
}: RolloutOrdersOptions): Promise<Answered<RolloutReport>> {
  source.check();
  const { mesh, problems, pendingEdit } = source.state;
  if (pendingEdit !== undefined) return { state: 'waiting', report: toReport(rollout, false) };
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  if (errors > 0) {
    throw new MeshError('request-invalid', `expected a good mesh but got errors (${errors})`, {
      variant: 'mesh-errors',
    });
  }
  const { heldEdit } = rollout;
  if (heldEdit?.why === 'paused') {
    throw new MeshError('request-invalid', 'expected the rollout to go on but it is paused', {
      variant: 'paused',
    });
  }
  // It was read and is yet to be offered: its addresses are being stored.
  const isKnown = [heldEdit?.version, rollout.record.wanted.version].includes(mesh.version);
  if (!isKnown) return { state: 'waiting', report: toReport(rollout, false) };
  await rollout.apply();
  return { state: 'done', report: toReport(rollout, heldEdit !== undefined) };
}

function toReport(rollout: RolloutOrdersOptions['rollout'], changed: boolean): RolloutReport {
  return {
    changed,
    version: rollout.record.wanted.version,
    running: rollout.steps.map(({ of }) => of),
    held: rollout.held.map(({ of }) => of),
    heldEdit: rollout.heldEdit?.version ?? null,
  };
}
