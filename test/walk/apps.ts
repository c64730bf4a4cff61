// The applications of the walk; each says its own name.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Harness } from '../harness/index.js';
import { startPostgres } from '../harness/postgres.js';
import { GRPC_PATH } from './flow.js';
import type { AppName, Targets } from './mesh-doc.js';

const bytes = (buffer: Buffer): Buffer => buffer;

interface Place {
  readonly name: AppName;
  readonly address: string;
  readonly port: number;
}

async function startGrpc(harness: Harness, { name, address, port }: Place): Promise<void> {
  const server = new Server();
  const method = {
    ...{ path: GRPC_PATH, requestStream: false, responseStream: false },
    ...{ requestSerialize: bytes, requestDeserialize: bytes },
    ...{ responseSerialize: bytes, responseDeserialize: bytes },
  };
  server.addService(
    { name: method },
    {
      name: (_call: unknown, reply: (error: null, value: Buffer) => void) =>
        reply(null, Buffer.from(name)),
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`${address}:${port}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  harness.defer(`application ${name}`, () => server.forceShutdown());
}

/** @param bin The folder of PostgreSQL's programs. */
export async function startApps(harness: Harness, bin: string): Promise<Targets> {
  const pool = await harness.addresses();
  const start = async (name: AppName, run: (place: Place) => Promise<unknown>) => {
    const address = pool.address();
    const place = { name, address, port: await pool.port(address) };
    await run(place);
    return [name, `${address}:${place.port}`] as const;
  };
  const http = (name: AppName) => start(name, (place) => harness.echoHttp(place));
  const grpc = (name: AppName) => start(name, (place) => startGrpc(harness, place));
  const tcp = (name: AppName) => start(name, (place) => harness.echoTcp(place));
  // A sidecar comes from 127.0.0.6, for whom the walk's callers need no password.
  const database = start('base', (place) =>
    startPostgres(harness, { bin, ...place, trusted: '127.0.0.6/32' }),
  );
  const started = await Promise.all([
    ...[http('red'), http('blue'), grpc('green'), grpc('gray'), tcp('east'), tcp('west')],
    database,
  ]);
  return Object.fromEntries(started) as Targets;
}
