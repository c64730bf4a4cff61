// `cert --renew`: leaves the order for the server, and reports the server's answer.
import { toRfc3339 } from '../base/index.js';
import { openDataDir } from '../data/index.js';
import { createOrderStore, unanswered } from '../data/orders/index.js';
import { orderRenewal, RENEW_LEAVES } from '../leaves/index.js';
import type { ServiceName } from '../policy/index.js';
import { type Context, writeLine } from '../terminal/index.js';
import { reportError } from './exit.js';
import { usage } from './options.js';
import { hearAnswer } from './order-answer.js';
import { count } from './problems.js';
import { findService, loadStoredMesh } from './stored-mesh.js';

export interface RenewalRequest {
  readonly service: ServiceName | undefined;
  readonly instance?: string;
  readonly data: string;
  /** Nothing else was asked for. */
  readonly isAlone: boolean;
}

/**
 * @throws MeshError usage, service-unknown, data-missing, data-unwritable, order-expired; the
 * server's own refusal
 */
export async function renewLeaves(
  { service, instance, data, isAlone }: RenewalRequest,
  context: Context,
): Promise<void> {
  if (service === undefined || !isAlone) {
    throw usage('expected a service alone with --renew', 'countersign cert web --renew');
  }
  const { random, stdout, stderr } = context;
  const dataDir = await openDataDir({ path: data, lock: false, create: false, random });
  findService(await loadStoredMesh(dataDir), service);
  const store = createOrderStore(dataDir);
  const payload = instance === undefined ? { service } : { service, instance };
  const order = await orderRenewal(payload, { ...context, store });
  const answer = await hearAnswer(RENEW_LEAVES, { id: order.id, dataDir }, context);
  const until = toRfc3339(order.deadlineMs ?? order.givenAtMs);
  if (answer === undefined) {
    const error = await unanswered(store, `${WAITS} when a server runs, until ${until}`);
    context.exitCode = reportError(error, context);
    return;
  }
  const { renewed, waitingFor } = answer.report;
  if (renewed.length > 0) {
    const who = renewed.join(', ');
    writeLine(stdout, `renewed ${count(renewed.length, 'certificate')}: ${who}`);
  }
  if (answer.state === 'done') return;
  const who = waitingFor.join(', ');
  writeLine(stderr, `error: expected new certificates at once but not yet for ${who}`);
  writeLine(stderr, `  hint: ${WAITS} when each is connected, until ${until}`);
  context.exitCode = 1;
}

const WAITS = 'nothing more to do: the order stays, and is carried out';
