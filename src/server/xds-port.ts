// The xDS port: a gRPC server on TLS with the certificate of the xDS anchor, which renews without a
// restart and without dropping a stream.
import {
  experimental,
  logVerbosity,
  Server,
  type ServerCredentials,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { MeshError } from '../base/index.js';
import { serverOptions } from '../grpc/index.js';
import type { ServerCredential } from '../identity/index.js';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export function toText({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export function createGrpcServer(): Server {
  // It writes to stderr by itself what it also tells its caller.
  setLogVerbosity(logVerbosity.NONE);
  return new Server(serverOptions());
}

/** Listens; the result has the port that was bound. @throws MeshError port-in-use */
export function bindGrpc(
  server: Server,
  { address, credential }: { address: HostPort; credential: ServerCredential },
): Promise<HostPort> {
  return new Promise((resolve, reject) => {
    server.bindAsync(toText(address), toServerCredentials(credential), (error, port) => {
      if (error === null) resolve({ host: address.host, port });
      else reject(toListenError(address, error));
    });
  });
}

export function toListenError(address: HostPort, cause: unknown): MeshError {
  return new MeshError('port-in-use', `cannot listen on ${toText(address)}`, {
    cause,
    hint: 'another process may hold that port, or this machine has no such address',
  });
}

type Provider = Parameters<typeof experimental.createCertificateProviderServerCredentials>[0];
type Listener = Parameters<Provider['addIdentityCertificateListener']>[0];

function toServerCredentials(credential: ServerCredential): ServerCredentials {
  const listeners = new Set<Listener>();
  const tell = (listener: Listener): void => {
    const { chainPem, keyPem } = credential.certificate();
    listener({ certificate: Buffer.from(chainPem), privateKey: Buffer.from(keyPem) });
  };
  credential.onRenewed(() => listeners.forEach(tell));
  const provider: Provider = {
    addCaCertificateListener() {},
    removeCaCertificateListener() {},
    addIdentityCertificateListener(listener) {
      listeners.add(listener);
      // grpc-js 1.14 registers who is to be told only after this returns.
      queueMicrotask(() => tell(listener));
    },
    removeIdentityCertificateListener(listener) {
      listeners.delete(listener);
    },
  };
  return experimental.createCertificateProviderServerCredentials(provider, null, false);
}
