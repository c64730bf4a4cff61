import { createServer, type Socket } from 'node:net';
import { type EchoApp, type EchoOptions, listen } from './echo-app.js';

/**
 * A TCP application where the client speaks first: at the first bytes it answers `<name>: ` once,
 * and from then on echoes every byte. It closes its side when the client does. MeshError
 * `port-in-use` if the address is taken.
 */
export async function startEchoTcp(options: EchoOptions): Promise<EchoApp> {
  const { name, address, port } = options;
  const sockets = new Set<Socket>();
  let seen = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    seen++;
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
    socket.once('data', (first: Buffer) => {
      socket.write(`${name}: `);
      socket.write(first);
      socket.pipe(socket);
    });
    socket.once('end', () => socket.end());
  });
  await listen(server, options);
  return {
    name,
    address,
    port,
    get seen() {
      return seen;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
