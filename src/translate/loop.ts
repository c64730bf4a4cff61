// A sidecar that listens where its own application is said to be calls itself forever: each call
// that it passes on arrives at it again. That happens where a sidecar's address is loopback, as the
// server sees one on its own host that names no other, and where it listens everywhere.
import { isIPv4 } from 'node:net';
import { MeshError } from '../base/index.js';
import type { Service } from '../policy/index.js';
import { toServingForms } from './forms.js';
import type { Listen } from './listen.js';

export interface ListensAt {
  /** Undefined: not known yet. */
  readonly address: string | undefined;
  readonly listen: Listen;
}

/** @throws MeshError address-in-use where a sidecar of the service can't listen there */
export function assertNoLoop(
  { name, ports, capture }: Service,
  { address, listen }: ListensAt,
): void {
  // There it listens on ports of its own alone, and no target is one of these.
  if (capture.inbound === 'transparent') return;
  // No target may be the mesh port (src/policy/analyse-targets.ts).
  const declared = new Set(ports.map(({ number }) => number));
  const isSelf = (target: string): boolean =>
    target === address || (listen === 'any' && isLoopback(target));
  const looped = ports
    .flatMap(toServingForms)
    .find(({ target }) => isSelf(target.address) && declared.has(target.port));
  if (looped === undefined) return;
  const { target } = looped;
  const host = target.address.includes(':') ? `[${target.address}]` : target.address;
  const place = `${host}:${target.port}`;
  const forever = 'it would call itself forever';
  if (target.address === address) {
    const message =
      `expected an address for the sidecar of "${name}" other than its application's ` +
      `but got ${place} for both: ${forever}`;
    throw new MeshError('address-in-use', message, { variant: 'own-application' });
  }
  const message =
    `expected the application of "${name}" elsewhere than at ${place}, ` +
    `where its sidecar listens too: ${forever}`;
  throw new MeshError('address-in-use', message, { variant: 'own-application-anywhere' });
}

function isLoopback(address: string): boolean {
  return address === '::1' || (isIPv4(address) && address.startsWith('127.'));
}
