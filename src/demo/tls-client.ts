import {
  type ConnectionOptions,
  checkServerIdentity,
  type PeerCertificate,
  type SecureVersion,
  type TLSSocket,
} from 'node:tls';

/** How to begin TLS as a client; everything is PEM. */
export interface TlsOptions {
  /** The client's certificate, leaf first. */
  readonly cert?: string;
  readonly key?: string;
  /**
   * Anchors that the server must chain to. Absent: any server is accepted, and `authorized` says
   * whether it was trusted.
   */
  readonly ca?: string;
  /** SNI; default none. */
  readonly servername?: string;
  /**
   * Name that the server's certificate must have, if `ca` is given; default: the SNI; false: none.
   */
  readonly verifyName?: string | false;
  readonly alpn?: readonly string[];
  readonly minVersion?: SecureVersion;
  readonly maxVersion?: SecureVersion;
}

/** What a handshake agreed on, as the client saw it. */
export interface TlsFacts {
  /** Such as `TLSv1.3`. */
  readonly protocol: string;
  readonly alpn: string | undefined;
  /** Whether the server chains to `ca` (or Node's own anchors) and has the name. */
  readonly authorized: boolean;
  /**
   * The server leaf's names in OpenSSL's notation, such as `URI:spiffe://…, DNS:ledger.payments`.
   */
  readonly serverNames: string;
  /** Hex, upper case, as OpenSSL prints it. */
  readonly serverSerial: string;
}

/** The options for Node's tls.connect, https.request and http2.connect. */
export function toConnectOptions(tls: TlsOptions, address: string): ConnectionOptions {
  const name = tls.verifyName ?? tls.servername ?? address;
  return {
    rejectUnauthorized: tls.ca !== undefined,
    // An empty name sends no SNI; otherwise Node would send the host if it is a name.
    servername: tls.servername ?? '',
    checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
      name === false ? undefined : checkServerIdentity(name, certificate),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.alpn === undefined ? {} : { ALPNProtocols: [...tls.alpn] }),
    ...(tls.minVersion === undefined ? {} : { minVersion: tls.minVersion }),
    ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
  };
}

export function toTlsFacts(socket: TLSSocket): TlsFacts {
  // Node's types say that both are always there; on a resumed or ended connection they are empty.
  const certificate: Partial<PeerCertificate> = socket.getPeerCertificate();
  return {
    protocol: socket.getProtocol() ?? '',
    alpn: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined,
    authorized: socket.authorized,
    serverNames: certificate.subjectaltname ?? '',
    serverSerial: certificate.serialNumber ?? '',
  };
}
