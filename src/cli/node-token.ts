// Tokens that commands make in the data folder, before the server's first start or while it runs.

import type { Clock, Random } from '../base/index.js';
import { toRfc3339 } from '../base/index.js';
import type { DataDir } from '../data/index.js';
import { issueToken, type SignedToken } from '../tokens/index.js';

export const DEFAULT_TOKEN_TTL = '8760h';

export interface NodeTokenRequest {
  readonly dataDir: DataDir;
  readonly clock: Clock;
  readonly random: Random;
  readonly service: string;
  /** Binds the token to this instance. */
  readonly instance: string | undefined;
  /** Binds it to these. */
  readonly addresses?: readonly string[] | undefined;
  readonly ttlMs: number;
}

/** A token for sidecars of a service. @throws MeshError data-damaged, data-unwritable */
export async function signNodeToken(request: NodeTokenRequest): Promise<SignedToken> {
  const { service, instance, addresses, ttlMs } = request;
  return issueToken(request, {
    audience: 'countersign-xds',
    subject: service,
    ...(instance === undefined ? {} : { instance }),
    ...(addresses === undefined ? {} : { addresses }),
    ttlMs,
  });
}

/** What may be shown of a token: its id, its holder and when it expires. */
export function describeToken({ id, expiresAtMs }: SignedToken, holder: string): string {
  return `token ${id} for ${holder}, expires ${toRfc3339(expiresAtMs)}`;
}
