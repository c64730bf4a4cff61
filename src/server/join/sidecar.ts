// Who a stream belongs to, decided by what it proved (proof.ts): its credential says the service
// (and may say the instance and the addresses); what `node` claims can only agree with it, or be
// refused.
import { MeshError } from '../../base/index.js';
import type { Peer } from '../../grpc/index.js';
import { findService, type Mesh, type ServiceName, tryServiceName } from '../../policy/index.js';
import { type NodeId, splitNodeText, toNodeId, tryInstance } from '../../spiffe/index.js';
import { assertNoLoop, DISCOVERY_TYPES, type Listen } from '../../translate/index.js';
import { isJsonObject, type Node } from '../../xds/index.js';
import {
  type AddressProof,
  DEFAULT_OUTBOUND,
  type Outbound,
  parseOutbound,
  type SidecarSite,
  toAddressSet,
  toSidecarAddress,
  tryAddressRange,
  tryIpAddress,
} from '../addresses/index.js';
import { assertNotOurs } from './not-ours.js';
import { authenticateCaller, type Credential, type Proof, type ProofOptions } from './proof.js';

/** A caller that says which node it is; on a discovery stream, of one type or of all. */
export type Claimant = Omit<Peer, 'variant'>;

/** A connected sidecar, as proved and, within that, as it says. */
export interface Sidecar {
  /** `payments/ledger~10.0.0.3`: the service, and the instance or else the address. */
  readonly node: NodeId;
  readonly service: ServiceName;
  /** Where it is called: of `node.metadata.countersign.address`, else the peer's address. */
  readonly address: string;
  readonly addressProof: AddressProof;
  /** Of `node.metadata.countersign.listen`. */
  readonly listen: Listen;
  readonly outbound: Outbound;
  /** A static Envoy: it takes secrets alone, and owns no address. */
  readonly isStatic?: true;
  /** What it joined by is good for these addresses, and ranges of them, alone. */
  readonly addresses?: readonly string[];
  /** What it joined by is good for one instance. */
  readonly isOneInstance?: true;
  /** By which it joined. */
  readonly credential: Credential;
}

export type AuthenticateOptions = Omit<ProofOptions, 'claimed'> & {
  readonly site?: SidecarSite | undefined;
};

/**
 * @throws MeshError what `authenticateCaller` throws; token-wrong-service where the node claims to
 * be somebody else; address-refused where it may not be at that address; request-invalid for
 * metadata that makes no sense; address-in-use where it would call itself.
 */
export async function authenticateSidecar(
  peer: Claimant,
  options: AuthenticateOptions,
): Promise<Sidecar> {
  const proof = await authenticateCaller(peer, { ...options, claimed: toClaimed(peer.node) });
  const { service, credential } = proof;
  const { site } = options;
  const claims = toClaims(peer, site);
  refuseFalseClaims(claims, proof, options.mesh);
  const { address, listen, outbound } = claims;
  const declared = findService(options.mesh, service);
  const isStatic = takesSecretsAlone(peer);
  if (declared !== undefined && !isStatic) {
    assertNoLoop(declared, { address, listen });
    if (site !== undefined) assertNotOurs(declared, address, site);
  }
  const instance = claims.instance ?? address;
  const node = toNodeId({ service, instance });
  const addressProof = toAddressProof(address, { proof, peer });
  const bound = {
    ...(isStatic ? ({ isStatic } as const) : {}),
    ...(proof.instance === undefined ? {} : ({ isOneInstance: true } as const)),
    ...(proof.addresses === undefined ? {} : { addresses: proof.addresses }),
  };
  return { node, service, address, addressProof, listen, outbound, ...bound, credential };
}

/** @throws MeshError address-refused where the credential is good for other addresses */
function toAddressProof(
  address: string,
  { proof, peer }: { readonly proof: Proof; readonly peer: Claimant },
): AddressProof {
  const { addresses, credential } = proof;
  if (addresses?.includes(address) === true) return 'bound';
  // A range says where it may be, and not which of its addresses is its own.
  if (addresses === undefined || isWithin(addresses, address)) {
    return tryIpAddress(peer.address) === address ? 'seen' : 'claimed';
  }
  const what = toWords(credential);
  const message = `the ${what} is for ${addresses.join(', ')} but the node says ${address}`;
  throw new MeshError('address-refused', message, { variant: 'bound' });
}

function isWithin(ranges: readonly string[], address: string): boolean {
  const known = ranges.map(tryAddressRange).filter((range) => range !== undefined);
  return toAddressSet(known).has(address);
}

function toWords({ kind }: Credential): string {
  return kind === 'certificate' ? 'client certificate' : 'token';
}

function refuseFalseClaims(
  claims: Claims,
  { service, instance, credential }: Proof,
  mesh: Mesh,
): void {
  const what = toWords(credential);
  if (claims.service !== undefined && !isSameService(claims.service, service, mesh)) {
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

/** By the service that it calls: on such a stream nothing else can be asked for. */
function takesSecretsAlone({ typeUrl }: Claimant): boolean {
  return typeUrl === DISCOVERY_TYPES.sds;
}

/** Names of one service, as it is called and as it was. */
function isSameService(claimed: string, proved: ServiceName, mesh: Mesh): boolean {
  return claimed === proved || findService(mesh, claimed) === findService(mesh, proved);
}

export type ClaimedSidecar = Pick<Sidecar, 'node' | 'address' | 'isStatic'>;

/** Which sidecar it says it is; undefined where that is none. */
export function tryClaimed(peer: Peer): ClaimedSidecar | undefined {
  const service = toClaimed(peer.node);
  const { instance } = splitNodeText(peer.node.id);
  const metadata = peer.node.metadata['countersign'];
  const given = isJsonObject(metadata) ? metadata['address'] : undefined;
  const address = tryIpAddress(given ?? peer.address);
  if (service === undefined || address === undefined) return undefined;
  const name = tryInstance(instance ?? address);
  if (name === undefined) return undefined;
  const claimed = { node: toNodeId({ service, instance: name }), address };
  return takesSecretsAlone(peer) ? { ...claimed, isStatic: true } : claimed;
}

/** Which service the node says it is, before its claims are held against what it proved. */
function toClaimed({ id, cluster }: Node): ServiceName | undefined {
  return tryServiceName(splitNodeText(id).service) ?? tryServiceName(cluster);
}

interface Claims {
  readonly service: string | undefined;
  readonly instance: string | undefined;
  readonly address: string;
  readonly listen: Listen;
  readonly outbound: Outbound;
}

/** What the node says of itself: `node.id` is `service` or `service~instance`. */
function toClaims(claimant: Claimant, site: SidecarSite | undefined): Claims {
  const { node, address: peer } = claimant;
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
  const given = fields['address'] ?? peer;
  const own = takesSecretsAlone(claimant) ? tryIpAddress(given) : undefined;
  // Nobody is sent the address of one that takes secrets alone: any will do.
  const address = own ?? toSidecarAddress(given, { ...site, peer });
  const listen = toListen(fields['listen']);
  const outbound = fields['outbound'] ?? DEFAULT_OUTBOUND;
  if (typeof outbound !== 'string') {
    throw new MeshError('request-invalid', 'expected text in node.metadata.countersign.outbound');
  }
  return { service, instance, address, listen, outbound: parseOutbound(outbound) };
}

function toListen(text: unknown): Listen {
  if (text === undefined) return 'address';
  if (text === 'any') return 'any';
  throw new MeshError('request-invalid', 'expected "any" in node.metadata.countersign.listen');
}
