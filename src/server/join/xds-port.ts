// The xDS port: TLS of our own in front of a gRPC server, which is handed each connection when its
// handshake is done (grpc-js' connection injector). Its certificate, of the xDS anchor, and the
// anchors that vouch for client certificates change without a restart and without dropping a
// stream. A client certificate is asked for and not required: one that the anchors don't vouch for
// is as good as none. Handshakes that end because the client doesn't trust our anchor are reported:
// they are all that is seen of sidecars whose server has lost its data folder.
import { type AddressInfo, Socket } from 'node:net';
import {
  createServer,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js';
import { MeshError, systemErrorCode } from '../../base/index.js';
import type { ServerCredential } from '../../ca/xds/index.js';
import { type CallGuardOptions, createCallGuard, toAddress } from '../../grpc/guard/index.js';
import { type StoppableServer, serverOptions } from '../../grpc/index.js';
import type { Connections } from './bounds/index.js';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

function toText({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A sidecar has one, and a client of certificates a few. */
const STREAMS_OF_CONNECTION = 100;

export function createGrpcServer(guarded: CallGuardOptions): Server {
  // By itself it writes to stderr what it also reports to its caller.
  setLogVerbosity(logVerbosity.NONE);
  const options = { ...serverOptions(), 'grpc.max_concurrent_streams': STREAMS_OF_CONNECTION };
  return new Server({ ...options, interceptors: [createCallGuard(guarded)] });
}

export function toListenError(address: HostPort, cause: unknown): MeshError {
  const code = systemErrorCode(cause) ?? 'an error';
  const but = NOT_LISTENING[code] ?? `got ${code}`;
  const message = `expected to listen on ${toText(address)} but ${but}`;
  return new MeshError('port-in-use', message, { cause, variant: code });
}

const NOT_LISTENING: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process does already',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'this user has no right to that port',
};

export interface XdsPortOptions {
  readonly grpc: Server;
  readonly connections: Connections;
  readonly credential: ServerCredential;
  /** PEM of the roots that vouch for client certificates, as they are now. */
  readonly clientAnchorsPem: () => string;
  /**
   * A client doesn't trust our anchor (xds-anchor-unknown), or shows a certificate that the mesh's
   * don't vouch for (certificate-refused): it may still prove itself by a token.
   */
  readonly onRefusal: (address: string, error: MeshError) => void;
  /** The anchors or the certificate can't be used: what was in force stays. */
  readonly onProblem: (error: unknown) => void;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;
/**
 * How a client says that it doesn't trust a certificate (RFC 8446 6.2), in OpenSSL's names. Envoy
 * 1.40 says UNKNOWN_CA (measured).
 */
const DISTRUST = /_ALERT_(UNKNOWN_CA|CERTIFICATE_UNKNOWN|BAD_CERTIFICATE)$/;

/** One port; `close` it by `shutdown` (src/grpc) of `stoppable`, with `drained` for addresses. */
export class XdsPort {
  /** The gRPC server with this port, for `shutdown`. */
  readonly stoppable: StoppableServer;
  readonly #options: XdsPortOptions;
  readonly #tls: TlsServer;
  readonly #sockets = new Set<Socket>();
  #context: SecureContextOptions;

  constructor(options: XdsPortOptions) {
    this.#options = options;
    this.#context = toContext(options);
    const injector = options.grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#tls = createServer({
      ...this.#context,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    this.#tls.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      // It reads the address while it is there: the socket remembers it.
      options.connections.add(socket);
    });
    this.#tls.on('secureConnection', (socket) => {
      // A connection that breaks is noticed by its session; without a listener it would be a crash.
      socket.on('error', () => undefined);
      this.#noteCertificate(socket);
      injector.injectConnection(socket);
    });
    this.#tls.on('tlsClientError', (error, socket) => this.#noteFailure(error, socket));
    options.credential.onRenewed(() => this.refresh());
    this.stoppable = {
      drain: (_address, graceMs) => injector.drain(graceMs),
      tryShutdown: (callback) => {
        // Sessions end by their GOAWAY; the listener is closed when the last connection is gone.
        this.#tls.close(() => options.grpc.tryShutdown(callback));
      },
      forceShutdown: () => {
        for (const socket of this.#sockets) socket.destroy();
        options.grpc.forceShutdown();
      },
    };
  }

  /** Listens; the result has the port that was bound. @throws MeshError port-in-use */
  listen(address: HostPort): Promise<HostPort> {
    return new Promise((resolve, reject) => {
      this.#tls.once('error', (error) => {
        reject(systemErrorCode(error) === undefined ? error : toListenError(address, error));
      });
      this.#tls.listen(address.port, address.host, () => {
        resolve({ host: address.host, port: (this.#tls.address() as AddressInfo).port });
      });
    });
  }

  /** Takes over the certificate and the anchors as they are now, for handshakes to come. */
  refresh(): void {
    try {
      const context = toContext(this.#options);
      if (isSame(context, this.#context)) return;
      // Tickets are of the context: a session of before isn't resumed, so no old anchor vouches on.
      this.#tls.setSecureContext(context);
      this.#context = context;
    } catch (error) {
      this.#options.onProblem(error);
    }
  }

  #noteFailure(error: Error, socket: TLSSocket): void {
    const address = toAddress(addressBelow(socket) ?? socket.remoteAddress);
    socket.destroy();
    if (!DISTRUST.test(systemErrorCode(error) ?? '')) return;
    const message = "a client does not trust this server's xDS certificate";
    const known = new MeshError('xds-anchor-unknown', message);
    this.#options.onRefusal(address, known);
  }

  #noteCertificate(socket: TLSSocket): void {
    if (socket.authorized || socket.getPeerCertificate().raw === undefined) return;
    // OpenSSL's name of the reason (CERT_HAS_EXPIRED), in spite of its type.
    const reason: unknown = socket.authorizationError;
    const got = `the client certificate: expected one that this mesh vouches for but got ${reason}`;
    const error = new MeshError('certificate-refused', got);
    this.#options.onRefusal(toAddress(socket.remoteAddress), error);
  }
}

/**
 * A client that refuses us may be gone before its address can be asked of the TLS socket. The TCP
 * socket below it remembers, which Node keeps in a field of its own; undefined where it no longer
 * does (test/envoy/node-authentication.test.ts then fails).
 */
function addressBelow(socket: TLSSocket): string | undefined {
  const below: unknown = Reflect.get(socket, '_parent');
  return below instanceof Socket ? below.remoteAddress : undefined;
}

function toContext({ credential, clientAnchorsPem }: XdsPortOptions): SecureContextOptions {
  const { chainPem, keyPem } = credential.certificate();
  return { cert: chainPem, key: keyPem, ca: clientAnchorsPem() };
}

function isSame(a: SecureContextOptions, b: SecureContextOptions): boolean {
  return a.cert === b.cert && a.key === b.key && a.ca === b.ca;
}
