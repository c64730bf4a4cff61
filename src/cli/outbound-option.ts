import { Option } from 'commander';
import { MeshError } from '../base/index.js';
import { findService, type Mesh, type Service } from '../policy/index.js';
import { parseOutbound, tryCalleeAddress } from '../server/addresses/index.js';
import { hintOf } from '../terminal/index.js';
import { placeCallees } from '../translate/index.js';
import { usage } from './options.js';

/** `--outbound`: a prefix or a list, checked here and passed on as it was written. */
export function outboundOption(description: string): Option {
  return new Option('--outbound <cidr or list>', description).argParser((text: string) => {
    try {
      parseOutbound(text);
      return text;
    } catch (error) {
      if (error instanceof MeshError) throw usage(`--outbound: ${error.message}`, hintOf(error));
      throw error;
    }
  });
}

export interface ListedOutbound {
  readonly text: string | undefined;
  readonly mesh: Mesh;
  readonly service: Service;
  /** The sidecar's own, where it is known. */
  readonly address: string | undefined;
  readonly listen: 'address' | 'any';
}

/**
 * The callees of a list that the mesh doesn't declare. A prefix has none.
 * @throws MeshError usage where two callees would need one place
 */
export function checkListed({ text, ...place }: ListedOutbound): readonly string[] {
  const outbound = text === undefined ? undefined : parseOutbound(text);
  if (outbound?.kind !== 'list') return [];
  const { addresses } = outbound;
  // A list has no use for indexes.
  const outboundAddress = (callee: Service) => tryCalleeAddress(outbound, { callee, index: 0 });
  refuseClashes(placeCallees({ ...place, outboundAddress }).clashes);
  return [...addresses.keys()].filter((callee) => findService(place.mesh, callee) === undefined);
}

/** @throws MeshError usage */
export function refuseClashes([clash]: ReturnType<typeof placeCallees>['clashes']): void {
  if (clash === undefined) return;
  const { place, holder, callee } = clash;
  throw usage(
    `--outbound: expected one listener at ${place} but got ${holder} and ${callee}`,
    `give ${callee} another address of this sidecar`,
  );
}
