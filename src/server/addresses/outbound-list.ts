// Where a sidecar listens for the services it calls, one by one: `ledger=198.18.0.2,db=198.18.0.3`.
// For a container whose application reaches it by addresses of a network rather than of loopback.
import { MeshError, toShortText } from '../../base/index.js';
import { type ServiceName, tryServiceName } from '../../policy/index.js';
import { toAddressSet } from './address-range.js';
import { tryIpAddress } from './ip-address.js';

/** IPv4 addresses of the sidecar's own, by callee; it listens for no others. */
export interface OutboundList {
  readonly kind: 'list';
  readonly addresses: ReadonlyMap<ServiceName, string>;
}

export const MAX_OUTBOUND_CALLEES = 256;
/** It also travels in the request line of `countersign hosts`. */
export const MAX_OUTBOUND_TEXT = 8_192;
const SHOWN = 100;

const NO_UNICAST = toAddressSet([
  { address: '0.0.0.0', bits: 8 },
  { address: '224.0.0.0', bits: 3 },
]);

/** @throws MeshError request-invalid where the text is no such list, or one that is too long. */
export function parseOutboundList(text: string): OutboundList {
  if (text.length > MAX_OUTBOUND_TEXT) {
    const limit = `at most ${MAX_OUTBOUND_TEXT} characters`;
    throw invalid(`expected a list of callees of ${limit} but got ${text.length}`);
  }
  const entries = text.split(',');
  if (entries.length > MAX_OUTBOUND_CALLEES) {
    throw invalid(`expected at most ${MAX_OUTBOUND_CALLEES} callees but got ${entries.length}`);
  }
  const addresses = new Map<ServiceName, string>();
  for (const entry of entries) {
    const [callee, address] = parseEntry(entry);
    if (addresses.has(callee)) throw invalid(`expected each callee once but got "${callee}" again`);
    addresses.set(callee, address);
  }
  return { kind: 'list', addresses };
}

function parseEntry(entry: string): [ServiceName, string] {
  const [name = '', text, ...rest] = entry.split('=');
  const callee = tryServiceName(name);
  if (callee === undefined || text === undefined || rest.length > 0) {
    throw invalid(`expected <service>=<IPv4 address> but got "${toShortText(entry, SHOWN)}"`);
  }
  const address = tryIpAddress(text);
  if (address === undefined || address.includes(':') || NO_UNICAST.has(address)) {
    const got = `"${toShortText(text, SHOWN)}"`;
    throw invalid(`expected an IPv4 address of one host for "${callee}" but got ${got}`);
  }
  return [callee, address];
}

function invalid(message: string): MeshError {
  return new MeshError('request-invalid', message, {
    hint: 'such as ledger=198.18.0.2,payments/db=198.18.0.3',
  });
}
