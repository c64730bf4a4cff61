// What commands order about the rollout. Each is carried out again where the server was killed
// before its receipt: so each says what is to be, and not what is to change.
import { z } from 'zod';
import type { OrderKind } from '../../data/orders/index.js';

const nothing = z.strictObject({});
type Nothing = z.infer<typeof nothing>;

const report = z.strictObject({
  /** Whether that changed anything. */
  changed: z.boolean(),
  /** Of the mesh that is in force, or on its way there. */
  version: z.string(),
  /** What runs: `payments/ledger:8080`. */
  running: z.array(z.string()),
  /** What went back, or is going there. */
  held: z.array(z.string()),
  /** Of an edit of the mesh file that is held back. */
  heldEdit: z.string().nullable(),
});

export type RolloutReport = z.infer<typeof report>;

type RolloutOrder = OrderKind<Nothing, RolloutReport>;

const toOrder = (name: string): RolloutOrder => ({ name, payload: nothing, report });

export const ROLLOUT_ORDERS = {
  /** Waits for files that somebody may still be writing. */
  apply: toOrder('apply-mesh'),
  pause: toOrder('pause-rollout'),
  resume: toOrder('resume-rollout'),
  /** What ran when it was given goes back, and no later edit. */
  abort: toOrder('abort-rollout'),
} as const;
