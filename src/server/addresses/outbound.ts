// Where a sidecar listens for the services it calls: each at an address of its own within a prefix,
// or at those that a list gives.
import { type Service, toNames } from '../../policy/index.js';
import { type OutboundList, parseOutboundList } from './outbound-list.js';
import {
  type OutboundPrefix,
  parseOutboundPrefix,
  toOutboundAddress,
  tryOutboundAddress,
} from './outbound-prefix.js';

export type Outbound = OutboundPrefix | OutboundList;

/** A callee, and its index. */
export interface IndexedCallee {
  readonly callee: Pick<Service, 'name' | 'formerly'>;
  readonly index: number;
}

/** For a sidecar whose application calls nobody through it. */
const NO_CALLEE = 'none';

/**
 * `127.65.3.0/24`, or `ledger=198.18.0.2,db=198.18.0.3`, or `none`.
 * @throws MeshError request-invalid
 */
export function parseOutbound(text: string): Outbound {
  if (text === NO_CALLEE) return { kind: 'list', addresses: new Map() };
  return text.includes('=') ? parseOutboundList(text) : parseOutboundPrefix(text);
}

/** Where it listens for the callee; undefined where it doesn't: not listed, or no room for it. */
export function tryCalleeAddress(
  outbound: Outbound,
  { callee, index }: IndexedCallee,
): string | undefined {
  if (outbound.kind === 'list') return toListed(outbound, callee);
  return tryOutboundAddress(outbound, index);
}

/** The same; undefined where it isn't listed. @throws MeshError resource-limit: no room for it */
export function toCalleeAddress(outbound: Outbound, of: IndexedCallee): string | undefined {
  if (outbound.kind === 'list') return toListed(outbound, of.callee);
  return toOutboundAddress(outbound, of.index);
}

/** By its name, or by an earlier one. */
function toListed(
  { addresses }: OutboundList,
  callee: IndexedCallee['callee'],
): string | undefined {
  const name = toNames(callee).find((one) => addresses.has(one));
  return name === undefined ? undefined : addresses.get(name);
}
