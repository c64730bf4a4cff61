// The operator's word that an instance is about to be stopped: nobody is to call it any more. To
// begin and to ask how far it is are two orders, so that an order which is carried out again never
// begins a drain again that was taken back meanwhile.
import { z } from 'zod';
import type { OrderKind } from '../data/orders/index.js';

const stage = z.enum([
  /** Those who call it are being sent endpoints without it. */
  'callers',
  /** All of them have those; what was on its way arrives. */
  'settling',
  /** Its listeners are being withdrawn: no new connections. */
  'inbound',
  /** It takes no new connections: what is open ends by itself. */
  'done',
]);

export type DrainStage = z.infer<typeof stage>;

const payload = z.strictObject({ service: z.string(), instance: z.string() });
const report = z.strictObject({
  stage,
  /** Nodes, for whose answer it waits. */
  waitingFor: z.array(z.string()),
  /** Nodes of the same service that are called instead. */
  others: z.array(z.string()),
});

type Instance = z.infer<typeof payload>;
export type DrainReport = z.infer<typeof report>;

/** Done as soon as the drain is stored and published: see `DRAIN_STATE`. */
export const DRAIN_INSTANCE: OrderKind<Instance & { readonly evenLast: boolean }, DrainReport> = {
  name: 'drain-instance',
  payload: payload.extend({ evenLast: z.boolean() }),
  report,
};

/** Done when the instance takes no new connections; until then the receipt says how far it is. */
export const DRAIN_STATE: OrderKind<Instance, DrainReport> = {
  name: 'drain-state',
  payload,
  report,
};

/** Takes a drain back. */
export const UNDO_DRAIN: OrderKind<Instance, { wasDrained: boolean }> = {
  name: 'undo-drain',
  payload,
  report: z.strictObject({ wasDrained: z.boolean() }),
};
