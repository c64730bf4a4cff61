// The token keys are a fact in the data folder, with or without a server. What a command orders is
// the server's word that it verifies by the keys as they stand there.
import { z } from 'zod';
import type { OrderKind } from '../data/orders/index.js';

const report = z.strictObject({
  /** The key that signs. */
  signing: z.string(),
  /** Others whose tokens are good. */
  verifying: z.array(z.string()),
});

export const TAKE_TOKEN_KEYS: OrderKind<object, z.infer<typeof report>> = {
  name: 'take-token-keys',
  payload: z.strictObject({}),
  report,
};
