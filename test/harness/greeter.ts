import { createServer, type Socket } from 'node:net';
import { connect as connectTls, type SecureVersion } from 'node:tls';
import { openSocket } from '../../src/demo/open-socket.js';
import { withDeadline } from '../../src/demo/wait.js';
import type { Harness } from './index.js';

export const GREETING = 'hello, who is there?\n';

/** An application that speaks first. */
export interface Greeter {
  readonly address: string;
  readonly port: number;
  /** Connections that it has seen. */
  readonly seen: number;
}

export async function startGreeter(harness: Harness): Promise<Greeter> {
  const pool = await harness.addresses();
  const address = pool.address();
  const port = await pool.port(address);
  const sockets = new Set<Socket>();
  let seen = 0;
  const server = createServer((socket) => {
    seen++;
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    socket.write(GREETING);
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  harness.defer('greeter', () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    address,
    port,
    get seen() {
      return seen;
    },
  };
}

export interface Silent {
  readonly address: string;
  readonly port: number;
  /** Absent: plain text. */
  readonly tls?: {
    readonly key?: string;
    readonly cert?: string;
    readonly servername?: string;
    readonly maxVersion?: SecureVersion;
    /** Of an earlier connection, to be resumed. */
    readonly session?: Buffer | undefined;
  };
}

export interface Heard {
  readonly text: string;
  readonly resumed: boolean;
  readonly session: Buffer | undefined;
}

/** Connects, says nothing, and hears until the greeting is whole or the other side ends. */
export function hear({ address, port, tls }: Silent): Promise<Heard> {
  return withDeadline({ what: `an end at ${address}:${port}`, timeoutMs: 8_000 }, (signal) => {
    const socket =
      tls === undefined
        ? openSocket({ address, port })
        : connectTls({ host: address, port, rejectUnauthorized: false, ...tls });
    let session: Buffer | undefined;
    let resumed = false;
    socket.on('secureConnect', () => {
      resumed = 'isSessionReused' in socket && socket.isSessionReused();
    });
    socket.on('session', (given: Buffer) => {
      session = given;
    });
    signal.addEventListener('abort', () => socket.destroy());
    socket.on('error', () => undefined);
    let text = '';
    return new Promise<Heard>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes(GREETING)) socket.destroy();
      });
      socket.on('end', () => socket.destroy());
      socket.on('close', () => resolve({ text, resumed, session }));
    });
  });
}
