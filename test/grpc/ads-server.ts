// A discovery server on a free loopback port, in plain text or TLS, with a clock that the test
// moves.
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import {
  ALL_SERVICES,
  attachDiscovery,
  type Discovery,
  type DiscoveryOptions,
  type ServiceRegistry,
  serverOptions,
} from '../../src/grpc/index.js';
import { ManualClock } from '../fakes/manual-clock.js';

export interface AdsServer<A> {
  readonly server: Server;
  readonly address: string;
  readonly clock: ManualClock;
  readonly discovery: Discovery<A>;
  /** How many responses were handed to the transport. */
  written(): number;
  stop(): void;
}

/** Serves ADS and every service of one type. */
export async function startAdsServer<A>(
  options: Omit<DiscoveryOptions<A>, 'clock'>,
  credentials: ServerCredentials = ServerCredentials.createInsecure(),
): Promise<AdsServer<A>> {
  const clock = new ManualClock();
  const server = new Server(serverOptions());
  let written = 0;
  const counted = countWrites(server, () => {
    written += 1;
  });
  const discovery = attachDiscovery(counted, { services: ALL_SERVICES, ...options, clock });
  return {
    server,
    address: await listen(server, credentials),
    clock,
    discovery,
    written: () => written,
    stop: () => server.forceShutdown(),
  };
}

/** Binds a free port of 127.0.0.1; its address. */
export async function listen(
  server: Server,
  credentials: ServerCredentials = ServerCredentials.createInsecure(),
): Promise<string> {
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return `127.0.0.1:${port}`;
}

interface Writable {
  write(message: Buffer, written: () => void): boolean;
}

function countWrites(server: Server, onWrite: () => void): ServiceRegistry {
  return {
    addService(service: ServiceDefinition, implementation: UntypedServiceImplementation): void {
      const counted = Object.entries(implementation).map(([name, handler]) => [
        name,
        (call: Writable): void => {
          const write = call.write.bind(call);
          call.write = (message, done) => {
            onWrite();
            return write(message, done);
          };
          (handler as (call: Writable) => void)(call);
        },
      ]);
      server.addService(service, Object.fromEntries(counted));
    },
  };
}
