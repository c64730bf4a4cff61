// Orders about the rollout, which commands leave for the server of the data folder.
import { MINUTE_MS } from '../base/index.js';
import { openDataDir } from '../data/index.js';
import { createOrderStore, giveOrder, type OrderKind, unanswered } from '../data/orders/index.js';
import type { RolloutReport } from '../server/mesh/index.js';
import type { Context } from '../terminal/index.js';
import { hearAnswer } from './order-answer.js';

/** @throws MeshError where no server answers, and what it refuses the order for */
export async function orderRollout(
  kind: OrderKind<object, RolloutReport>,
  { data, context }: { readonly data: string; readonly context: Context },
): Promise<RolloutReport> {
  const { clock, random } = context;
  const dataDir = await openDataDir({ path: data, lock: false, create: false, random });
  const store = createOrderStore(dataDir);
  const order = { payload: {}, deadlineMs: clock.now() + MINUTE_MS };
  const { id } = await giveOrder(kind, order, { ...context, store });
  const until = ({ state }: { readonly state: string }): boolean => state !== 'waiting';
  const answer = await hearAnswer(kind, { id, dataDir }, { ...context, until });
  if (answer?.state === 'done') return answer.report;
  await store.withdraw(id);
  throw await unanswered(store, 'start `countersign serve` there, and give the order again');
}
