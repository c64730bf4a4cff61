// A revocation is a fact in the data folder, with or without a server. What a command orders is the
// server's word that it has read the facts and put them in force.
import { z } from 'zod';
import type { OrderKind } from '../data/orders/index.js';

const report = z.strictObject({
  /** Connected sidecars that were sent what is in force. */
  proxies: z.number(),
});

export const TAKE_REVOCATIONS: OrderKind<object, z.infer<typeof report>> = {
  name: 'take-revocations',
  payload: z.strictObject({}),
  report,
};
