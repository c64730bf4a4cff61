// Who somebody is that the xDS port refuses, as far as a signature proves it, and beside that what
// it says of itself: an operator can then tell one refused sidecar of a host from another.
import { tryServiceName } from '../../policy/index.js';
import { splitNodeText, tryInstance } from '../../spiffe/index.js';

/** Proved; what is absent isn't. */
export interface Party {
  readonly service?: string;
  /** The only one that the credential is good for. */
  readonly instance?: string;
  readonly tokenId?: string;
  readonly certificateSerialHex?: string;
}

/** Whether a signature proves anything of it. */
export function isProved(party: Party | undefined): boolean {
  return party !== undefined && Object.keys(party).length > 0;
}

/** A node's own word for who it is; undefined where that is no name of a node. */
export function toClaim(nodeId: string): string | undefined {
  const { service, instance } = splitNodeText(nodeId);
  const isName = tryServiceName(service) !== undefined;
  const isNode = instance === undefined || tryInstance(instance) !== undefined;
  return isName && isNode ? nodeId : undefined;
}
