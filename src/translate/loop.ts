// A sidecar that listens where its own application is said to be calls itself forever: each call
// that it passes on arrives at it again. That happens where a sidecar's address is loopback, as the
// server sees one on its own host that names no other.
import { MeshError } from '../base/index.js';
import type { Service } from '../policy/index.js';

/** @throws MeshError address-in-use where a sidecar of the service can't listen at that address */
export function assertNoLoop({ name, ports, capture }: Service, address: string): void {
  // There it listens on ports of its own alone, and no target is one of these.
  if (capture.inbound === 'transparent') return;
  // No target may be the mesh port (src/policy/analyse.ts).
  const listens = new Set(ports.map(({ number }) => number));
  const looped = ports.find(({ target }) => target.address === address && listens.has(target.port));
  if (looped === undefined) return;
  const place = address.includes(':') ? `[${address}]` : address;
  const message =
    `expected an address for the sidecar of "${name}" other than its application's ` +
    `but got ${place}:${looped.target.port} for both: it would call itself forever`;
  throw new MeshError('address-in-use', message, { variant: 'own-application' });
}
