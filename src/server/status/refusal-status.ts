// Callers that were refused, as `status` shows them.
import { toRfc3339 } from '../../base/index.js';
import type { Refusal } from '../join/index.js';

/** A caller of the xDS port that was refused within the last hour. */
export interface RefusalStatus {
  /** IP address. */
  readonly peer: string;
  readonly code: string;
  readonly reason: string;
  readonly hint?: string;
  /** How often, since it was first refused for this. */
  readonly count: number;
  /** RFC 3339. */
  readonly lastAt: string;
  /** What a signature proves of it; absent: nothing. */
  readonly service?: string;
  readonly instance?: string;
  readonly tokenId?: string;
  readonly certificateSerial?: string;
  /** Who it says it is, whatever it has proved. */
  readonly claim?: string;
  /** The address that it wanted, and the sidecar that has it. */
  readonly address?: string;
  readonly holder?: string;
}

export function toRefusalStatus(refusal: Refusal): RefusalStatus {
  const { peer, code, reason, hint, count, lastAtMs, party = {}, claim, address, holder } = refusal;
  const { certificateSerialHex: certificateSerial, ...proved } = party;
  const known = { hint, ...proved, certificateSerial, claim, address, holder };
  const given = Object.entries(known).filter(([, value]) => value !== undefined);
  return {
    ...{ peer, code, reason, count, lastAt: toRfc3339(lastAtMs) },
    ...(Object.fromEntries(given) as Partial<RefusalStatus>),
  };
}
