import { Server, ServerCredentials } from '@grpc/grpc-js';
import { MeshError, systemErrorCode } from '../base/index.js';
import { attachHealth } from '../grpc/index.js';
import type { EchoOptions } from './echo-app.js';

/**
 * A gRPC application: the health service (Check, List, Watch) and nothing else. It runs until its
 * process ends. MeshError `port-in-use` if the address is taken.
 */
export async function startGrpcHealth({ name, address, port }: EchoOptions): Promise<void> {
  const server = new Server();
  attachHealth(server, { services: [name] });
  await new Promise<void>((resolve, reject) => {
    const credentials = ServerCredentials.createInsecure();
    server.bindAsync(`${address}:${port}`, credentials, (error) => {
      if (error === null) return resolve();
      const taken = systemErrorCode(error) === 'EADDRINUSE' || /EADDRINUSE/.test(error.message);
      reject(taken ? new MeshError('port-in-use', `${address}:${port} is in use`) : error);
    });
  });
}
