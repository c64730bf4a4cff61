// Sidecars that wait for their address, as an operator is told of them.
import { toRfc3339 } from '../../base/index.js';
import { findDeclared, type Mesh } from '../../policy/index.js';
import type { KeptOut } from '../fleet/index.js';

export interface KeptOutStatus {
  readonly node: string;
  readonly address: string;
  /** The sidecar that has the address; null: it is about to be free. */
  readonly holder: string | null;
}

/** Of services that the mesh declares: the others are to have nothing anyway. */
export function toKeptOut(keptOut: readonly KeptOut[], mesh: Mesh): readonly KeptOutStatus[] {
  return keptOut
    .filter(({ service }) => findDeclared(mesh, service) !== undefined)
    .map(({ node, address, holder = null }) => ({ node, address, holder }));
}

export function toKeptOutText({ node, address, holder, sinceMs }: KeptOut): string {
  const whose = `its address ${address} is that of ${holder ?? 'another'}`;
  return `${node} is kept out since ${toRfc3339(sinceMs)}: ${whose}`;
}
