// A discovery server on a free loopback port, in plain text or TLS, with a clock that the test moves.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import {
  attachDiscovery,
  type Discovery,
  type DiscoveryOptions,
  serverOptions,
} from '../../src/grpc/index.js';
import { ManualClock } from '../fakes/manual-clock.js';

export interface AdsServer<A> {
  readonly server: Server;
  readonly address: string;
  readonly clock: ManualClock;
  readonly discovery: Discovery<A>;
  stop(): void;
}

export async function startAdsServer<A>(
  options: Omit<DiscoveryOptions<A>, 'clock'>,
  credentials: ServerCredentials = ServerCredentials.createInsecure(),
): Promise<AdsServer<A>> {
  const clock = new ManualClock();
  const server = new Server(serverOptions());
  const discovery = attachDiscovery(server, { ...options, clock });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    server,
    address: `127.0.0.1:${port}`,
    clock,
    discovery,
    stop: () => server.forceShutdown(),
  };
}
