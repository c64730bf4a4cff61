// The operator's word that leaves are to be replaced now, whatever their age: of a service or of
// one instance. Sidecars that aren't connected get theirs when they are, until the order's
// deadline.
import { z } from 'zod';
import { type Clock, DAY_MS, type Random } from '../base/index.js';
import { createJsonStore, type DataDir } from '../data/index.js';
import { giveOrder, type Order, type OrderKind, type OrderStore } from '../data/orders/index.js';

/** Leaves that are older are due for their renewal anyway. */
const RENEW_WITHIN_MS = DAY_MS;

const payload = z.strictObject({ service: z.string(), instance: z.string().optional() });
const report = z.strictObject({
  /** Nodes with a leaf of after the order. */
  renewed: z.array(z.string()),
  /** Nodes, or the service where none of its sidecars is connected. */
  waitingFor: z.array(z.string()),
});

/** Undefined instance: every one. */
export type RenewalOrder = z.infer<typeof payload>;
export type RenewalReport = z.infer<typeof report>;

export const RENEW_LEAVES: OrderKind<RenewalOrder, RenewalReport> = {
  name: 'renew-leaves',
  payload,
  report,
};

/** Durable when the promise resolves. @throws MeshError data-unwritable */
export function orderRenewal(
  order: RenewalOrder,
  tools: { readonly store: OrderStore; readonly clock: Clock; readonly random: Random },
): Promise<Order<RenewalOrder>> {
  const deadlineMs = tools.clock.now() + RENEW_WITHIN_MS;
  return giveOrder(RENEW_LEAVES, { payload: order, deadlineMs }, tools);
}

const FOLDER = 'renewal-orders';

/** What commands of an earlier version left, as orders. @throws MeshError data-damaged */
export async function adoptRenewalFiles(
  dataDir: DataDir,
  tools: { readonly store: OrderStore; readonly clock: Clock; readonly random: Random },
): Promise<void> {
  for (const file of await dataDir.list(FOLDER)) {
    const name = `${FOLDER}/${file}`;
    const found = await createJsonStore({ dataDir, name, schema: payload, version: 1 }).read();
    if (found !== undefined) await orderRenewal(found, tools);
    await dataDir.remove(name);
  }
}
