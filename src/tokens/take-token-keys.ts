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

/** The keys that the server has in force. */
export type TokenKeysReport = z.infer<typeof report>;

export const TAKE_TOKEN_KEYS: OrderKind<object, TokenKeysReport> = {
  name: 'take-token-keys',
  payload: z.strictObject({}),
  report,
};
