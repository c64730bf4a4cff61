// Before an issuing CA signs its first leaf, every sidecar must have its revocation list: while
// anything is revoked, Envoy refuses the leaves of a CA that it has no list of. A mute sidecar
// holds this back for GATE_MS at most. Where nothing is revoked, nothing is waited for.
import { type Cancel, type Clock, waitUntil } from '../../base/index.js';
import type { ProxyState } from '../mesh/index.js';
import type { RevocationSource } from './revocation-source.js';

/** Leaves are renewed long before they end: they can wait this long for their issuing CA. */
export const GATE_MS = 5_000;

export interface IssuerGateOptions {
  readonly revocations: RevocationSource;
  readonly clock: Clock;
  readonly proxies: () => Iterable<{ readonly state: ProxyState }>;
  /** Calls back when a sidecar connected, answered or left. */
  readonly onChange: (listener: () => void) => Cancel;
}

/** Resolves when every connected sidecar has the lists of the issuing CAs as they are now. */
export async function passIssuerGate(options: IssuerGateOptions): Promise<void> {
  const { revocations, clock, proxies, onChange } = options;
  await revocations.renewLists();
  if (revocations.inForce.value.crls === undefined) return;
  const look = (): true | undefined =>
    [...proxies()].some(({ state }) => state === 'pending') ? undefined : true;
  await waitUntil({ look, onChange, clock, timeoutMs: GATE_MS });
}
