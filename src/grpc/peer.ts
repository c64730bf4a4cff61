// Who is at the other end, as far as the transport knows, and what it claims to be.
import type { Metadata, ServerDuplexStream } from '@grpc/grpc-js';
import type { Node, Variant } from '../xds/index.js';

type AuthContext = ReturnType<ServerDuplexStream<Buffer, Buffer>['getAuthContext']>;
export type DiscoveryCall = ServerDuplexStream<Buffer, Buffer>;

/** The other end of a call, as the transport knows it. */
export interface Caller {
  /** IP address of the connection's other end, IPv4-mapped addresses as IPv4. */
  readonly address: string;
  /** Port of the same; undefined where the connection has gone. */
  readonly port?: number | undefined;
  /** The `authorization` header, whole. */
  readonly authorization: string | undefined;
  /** DER of the client's certificate, which the TLS layer has verified. */
  readonly certificate: Uint8Array | undefined;
}

/** A caller that says which node it is. */
export interface Claimant extends Caller {
  /** Of the first request: a claim. */
  readonly node: Node;
}

/** What authentication of a discovery stream decides on. Kept only until it has. */
export interface Peer extends Claimant {
  readonly variant: Variant;
  /** The one type of the stream; undefined on an aggregated one. */
  readonly typeUrl?: string | undefined;
}

/** The part of a grpc-js call that says whose it is. */
export interface AnyCall {
  readonly metadata: Metadata;
  getPeer(): string;
  getAuthContext(): AuthContext;
}

export function toCaller(call: AnyCall): Caller {
  const authorization = call.metadata.get('authorization')[0];
  return {
    address: peerAddress(call),
    port: peerPort(call),
    authorization: typeof authorization === 'string' ? authorization : undefined,
    certificate: call.getAuthContext()?.sslPeerCertificate?.raw,
  };
}

/** grpc-js joins address and port by a colon, without brackets around IPv6. */
export function peerAddress(call: { getPeer(): string }): string {
  const address = call.getPeer().replace(/:\d+$/, '');
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

function peerPort(call: { getPeer(): string }): number | undefined {
  const port = /:(\d+)$/.exec(call.getPeer())?.[1];
  return port === undefined ? undefined : Number(port);
}
