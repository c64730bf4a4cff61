// Who a stream belongs to, decided by what it proved (proof.ts): its credential says the service
// (and may say the instance); what `node` claims can only agree with it, or be refused.
import { isIP, SocketAddress } from 'node:net';
import { MeshError } from '../../base/index.js';
import type { Peer } from '../../grpc/index.js';
import { type ServiceName, tryServiceName } from '../../policy/index.js';
import { type NodeId, splitNodeText, toNodeId, tryInstance } from '../../spiffe/index.js';
import { assertNoLoop } from '../../translate/index.js';
import { isJsonObject, type Json, type Node } from '../../xds/index.js';
import { DEFAULT_OUTBOUND, type OutboundPrefix, parseOutboundPrefix } from '../addresses/index.js';
import { authenticateCaller, type Credential, type Proof, type ProofOptions } from './proof.js';

/** A connected sidecar, as proved and, within that, as it says. */
export interface Sidecar {
  /** `payments/ledger~10.0.0.3`: the service, and the instance or else the address. */
  readonly node: NodeId;
  readonly service: ServiceName;
  /** Where the sidecar listens: of `node.metadata.countersign.address`, else the peer's address. */
  readonly address: string;
  readonly outbound: OutboundPrefix;
  /** By which it joined. */
  readonly credential: Credential;
}

export type AuthenticateOptions = Omit<ProofOptions, 'claimed'>;

/**
 * @throws MeshError what `authenticateCaller` throws; token-wrong-service where the node claims to
 * be somebody else; request-invalid for metadata that makes no sense; address-in-use where it would
 * call itself.
 */
export async function authenticateSidecar(
  peer: Peer,
  options: AuthenticateOptions,
): Promise<Sidecar> {
  const proof = await authenticateCaller(peer, { ...options, claimed: toClaimed(peer.node) });
  const { service, credential } = proof;
  const claims = toClaims(peer);
  refuseFalseClaims(claims, proof);
  const { address, outbound } = claims;
  const declared = options.mesh.services.get(service);
  if (declared !== undefined) assertNoLoop(declared, address);
  const instance = claims.instance ?? address;
  const node = toNodeId({ service, instance });
  return { node, service, address, outbound, credential };
}

function refuseFalseClaims(claims: Claims, { service, instance, credential }: Proof): void {
  const what = credential.kind === 'certificate' ? 'client certificate' : 'token';
  if (claims.service !== undefined && claims.service !== service) {
    const claimed = `the node says that it is "${claims.service}"`;
    const message = `the ${what} is for service "${service}" but ${claimed}`;
    throw new MeshError('token-wrong-service', message);
  }
  // Without a name an instance is called by its address.
  if (instance !== undefined && (claims.instance ?? claims.address) !== instance) {
    const message = `the ${what} is for instance "${instance}" of "${service}"`;
    throw new MeshError('token-wrong-service', `${message} but the node is another one`);
  }
}

/** Which service the node says it is, before its claims are held against what it proved. */
function toClaimed({ id, cluster }: Node): ServiceName | undefined {
  return tryServiceName(splitNodeText(id).service) ?? tryServiceName(cluster);
}

interface Claims {
  readonly service: string | undefined;
  readonly instance: string | undefined;
  readonly address: string;
  readonly outbound: OutboundPrefix;
}

/** What the node says of itself: `node.id` is `service` or `service~instance`. */
function toClaims({ node, address: peerAddress }: Peer): Claims {
  const { service: id, instance } = splitNodeText(node.id);
  if (instance !== undefined && tryInstance(instance) === undefined) {
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
