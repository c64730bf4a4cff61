// Who a stream belongs to, decided by what it proved: the token says the service (and may say the
// instance); what `node` claims can only agree with it, or be refused.
import { isIP, SocketAddress } from 'node:net';
import { MeshError } from '../base/index.js';
import type { Peer } from '../grpc/index.js';
import type { TokenKeys } from '../identity/index.js';
import { type Mesh, type ServiceName, tryServiceName } from '../policy/index.js';
import { isJsonObject, type Json } from '../xds/index.js';
import { DEFAULT_OUTBOUND, type OutboundPrefix, parseOutboundPrefix } from './addresses/index.js';
import { toToken } from './bearer.js';

/** A connected sidecar, as proved and, within that, as it says. */
export interface Sidecar {
  /** `payments/ledger~10.0.0.3`: the service, and the instance or else the address. */
  readonly node: string;
  readonly service: ServiceName;
  /** Where the sidecar listens: of `node.metadata.countersign.address`, else the peer's address. */
  readonly address: string;
  readonly outbound: OutboundPrefix;
  /** Of the token by which it joined. */
  readonly tokenId: string;
}

const INSTANCE = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

export interface AuthenticateOptions {
  readonly tokens: TokenKeys;
  readonly mesh: Mesh;
}

/**
 * @throws MeshError token-missing, token-invalid, token-expired; token-wrong-service where the node
 * claims to be somebody else; service-unknown; request-invalid for metadata that makes no sense.
 */
export function authenticateSidecar(peer: Peer, { tokens, mesh }: AuthenticateOptions): Sidecar {
  const token = toToken(peer.authorization);
  const proved = tokens.verify(token, { audience: 'countersign-xds' });
  const service = tryServiceName(proved.subject);
  if (service === undefined || !mesh.services.has(service)) {
    throw new MeshError(
      'service-unknown',
      `the token is for service "${proved.subject}", which the mesh does not declare`,
      { hint: 'declare the service in mesh.yaml; the sidecar will try again by itself' },
    );
  }
  const claimed = toClaims(peer);
  if (claimed.service !== undefined && claimed.service !== service) {
    throw new MeshError(
      'token-wrong-service',
      `the token is for service "${service}" but the node says that it is "${claimed.service}"`,
    );
  }
  if (proved.instance !== undefined && claimed.instance !== proved.instance) {
    throw new MeshError(
      'token-wrong-service',
      `the token is for instance "${proved.instance}" of "${service}" but the node is another one`,
    );
  }
  const { address } = claimed;
  const instance = claimed.instance ?? address;
  const { outbound } = claimed;
  return { node: `${service}~${instance}`, service, address, outbound, tokenId: proved.id };
}

interface Claims {
  readonly service: string | undefined;
  readonly instance: string | undefined;
  readonly address: string;
  readonly outbound: OutboundPrefix;
}

/** What the node says of itself: `node.id` is `service` or `service~instance`. */
function toClaims({ node, address: peerAddress }: Peer): Claims {
  const [id = '', ...rest] = node.id.split('~');
  const instance = rest.length === 0 ? undefined : rest.join('~');
  if (instance !== undefined && !INSTANCE.test(instance)) {
    throw new MeshError(
      'request-invalid',
      `expected an instance name in node.id but got "${node.id}"`,
    );
  }
  const names = [id, node.cluster]
    .map((name) => tryServiceName(name))
    .filter((n) => n !== undefined);
  const [service] = names;
  if (names.some((name) => name !== service)) {
    throw new MeshError('token-wrong-service', `node.id and node.cluster name different services`);
  }
  const metadata = node.metadata['countersign'];
  const fields = isJsonObject(metadata) ? metadata : {};
  const address = toUnicast(fields['address'] ?? peerAddress);
  if (address === undefined) {
    throw new MeshError(
      'request-invalid',
      'expected one IP address of this node in node.metadata.countersign.address',
    );
  }
  const outbound = fields['outbound'] ?? DEFAULT_OUTBOUND;
  if (typeof outbound !== 'string') {
    throw new MeshError('request-invalid', 'expected text in node.metadata.countersign.outbound');
  }
  return { service, instance, address, outbound: parseOutboundPrefix(outbound) };
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/;
/**
 * 0.0.0.0/8, 224.0.0.0/3; ::, ff00::/8: no single node's. Zones (fe80::1%eth0) mean nothing
 * elsewhere.
 */
const NOT_UNICAST = /^(0\.|2(2[4-9]|[3-5]\d)\.|::$|ff[0-9a-f]{2}:)/;

/**
 * The address in its one spelling; undefined where it is none that a caller can reach a node at.
 */
function toUnicast(value: Json): string | undefined {
  if (typeof value !== 'string') return undefined;
  const family = isIP(value);
  if (family === 0 || value.includes('%')) return undefined;
  const spelt =
    family === 6 ? new SocketAddress({ address: value, family: 'ipv6' }).address : value;
  const address = MAPPED.exec(spelt)?.[1] ?? spelt;
  return NOT_UNICAST.test(address) ? undefined : address;
}
