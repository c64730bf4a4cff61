// Listeners that a sidecar can't bind, as `status` and `wait` show them.
import { toRfc3339 } from '../../base/index.js';
import { toBindHint } from '../../terminal/index.js';
import { isCaptureListener, isInboundListener } from '../../translate/index.js';
import type { BindReason, MemberView, Unbound } from '../fleet/index.js';

export interface UnboundStatus {
  /** Envoy's name of the listener: `inbound:8080`, `mesh`, `outbound:payments/ledger:8080`. */
  readonly listener: string;
  /** What it can't bind: `10.0.0.7:8080`; null where Envoy doesn't say. */
  readonly address: string | null;
  readonly reason: BindReason;
  /** The system's words, as Envoy quotes them. */
  readonly error: string;
  /** Who has the address; null where that can't be seen from the server. */
  readonly holder: string | null;
  /** `file:line:column` of the service's port in the mesh file. */
  readonly source: string | null;
  readonly hint: string;
  /** RFC 3339. */
  readonly since: string;
  /** How often it was tried. */
  readonly tries: number;
  /** RFC 3339; null while it is being tried. */
  readonly nextTryAt: string | null;
}

export function toUnboundStatuses({ unbound }: Pick<MemberView, 'unbound'>): UnboundStatus[] {
  return unbound.map(toUnboundStatus);
}

function toUnboundStatus(unbound: Unbound): UnboundStatus {
  const { listener, address = null, reason, words, holder = null, source = null } = unbound;
  const { sinceMs, tries, nextTryAtMs } = unbound;
  return {
    ...{ listener, address, reason, error: words, holder, source },
    hint: toBindHint({
      ...{ reason, address, holder },
      isInbound: isInboundListener(listener),
      isCapture: isCaptureListener(listener),
    }),
    since: toRfc3339(sinceMs),
    tries,
    nextTryAt: nextTryAtMs === undefined ? null : toRfc3339(nextTryAtMs),
  };
}
