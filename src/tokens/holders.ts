// sidecars.json: the sidecars that a server has seen, each with the token by which it joined. The
// server writes it; a command that takes tokens away reads here whom that hits.
import { z } from 'zod';
import { createJsonStore, type DataDir, type DurableStore } from '../data/index.js';
import { isNodeId } from '../spiffe/index.js';

export const SIDECARS_FILE = 'sidecars.json';

const token = z.strictObject({ id: z.string(), keyId: z.string(), expiresAtMs: z.number() });

const sidecar = z.strictObject({
  node: z.string().refine(isNodeId),
  service: z.string(),
  address: z.string(),
  /** A static Envoy, which takes secrets alone. */
  isStatic: z.literal(true).optional(),
  /** Absent: it joined by something else. */
  token: token.optional(),
  /** Absent: it was connected. */
  goneAtMs: z.number().optional(),
  /** It was when the server stopped, and has not come back: it left some time before that. */
  missedAtStart: z.literal(true).optional(),
});

const schema = z.strictObject({ sidecars: z.array(sidecar) });

export type SeenSidecar = z.infer<typeof sidecar>;
export type SeenSidecars = z.infer<typeof schema>;

export function openSidecarsFile(dataDir: DataDir): DurableStore<SeenSidecars> {
  return createJsonStore({ dataDir, name: SIDECARS_FILE, schema, version: 1 });
}
