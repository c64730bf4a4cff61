// Who is at the other end, as far as the transport knows, and what it says of itself.
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Node, Variant } from '../xds/index.js';

export type DiscoveryCall = ServerDuplexStream<Buffer, Buffer>;

/** What authentication decides on. Kept only until it has. */
export interface Peer {
  /** IP address of the connection's other end, IPv4-mapped addresses as IPv4. */
  readonly address: string;
  /** Of the first request: a claim. */
  readonly node: Node;
  readonly variant: Variant;
  /** The `authorization` header, whole. */
  readonly authorization: string | undefined;
  /** DER of the client's certificate, which the TLS layer has verified. */
  readonly certificate: Uint8Array | undefined;
}

export function toPeer(call: DiscoveryCall, node: Node, variant: Variant): Peer {
  const authorization = call.metadata.get('authorization')[0];
  return {
    address: peerAddress(call),
    node,
    variant,
    authorization: typeof authorization === 'string' ? authorization : undefined,
    certificate: call.getAuthContext()?.sslPeerCertificate?.raw,
  };
}

/** grpc-js joins address and port by a colon, without brackets around IPv6. */
export function peerAddress(call: { getPeer(): string }): string {
  const address = call.getPeer().replace(/:\d+$/, '');
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}
