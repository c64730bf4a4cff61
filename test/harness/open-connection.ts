import { connect as connectHttp2 } from 'node:http2';
import type { Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { openSocket } from '../../src/demo/open-socket.js';
import { withDeadline } from '../../src/demo/wait.js';

export interface Place {
  readonly address: string;
  readonly port: number;
  /** Absent: plain text. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly servername: string };
}

/** Something that was asked for once and stays open. */
export interface Open {
  readonly isClosed: boolean;
  /** Rejects where it no longer works. */
  echo(): Promise<void>;
  close(): void;
}

function connect({ address, port, tls }: Place): Socket | TLSSocket {
  const socket =
    tls === undefined
      ? openSocket({ address, port })
      : connectTls({ host: address, port, rejectUnauthorized: false, ...tls });
  socket.on('error', () => undefined);
  return socket;
}

/** Bytes that come back; `first` is said before them, and `until` heard. */
async function openEcho(
  place: Place,
  first?: { readonly say: string; readonly until: string },
): Promise<Open> {
  const socket = connect(place);
  let isClosed = false;
  let text = '';
  let lines = 0;
  for (const end of ['close', 'end'] as const) {
    socket.on(end, () => {
      isClosed = true;
    });
  }
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  const hears = (wanted: string): Promise<void> =>
    withDeadline({ what: `"${wanted}"`, timeoutMs: 5_000 }, () => {
      return new Promise<void>((resolve, reject) => {
        const look = (): void => {
          if (text.includes(wanted)) resolve();
        };
        socket.on('data', look);
        socket.on('close', () => reject(new Error(`closed before "${wanted}"`)));
        look();
      });
    });
  if (first !== undefined) {
    socket.write(first.say);
    await hears(first.until);
  }
  const open: Open = {
    get isClosed() {
      return isClosed;
    },
    async echo() {
      const line = `line ${++lines}\n`;
      socket.write(line);
      await hears(line);
    },
    close: () => void socket.destroy(),
  };
  await open.echo();
  return open;
}

export function openTcp(place: Place): Promise<Open> {
  return openEcho(place);
}

/** After the answer 101 the echo application sends back what it gets, framed or not. */
export function openWebSocket(place: Place): Promise<Open> {
  const lines = ['GET /chat HTTP/1.1', 'host: app', 'connection: Upgrade', 'upgrade: websocket'];
  const key = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13';
  const say = `${lines.join('\r\n')}\r\n${key}\r\n\r\n`;
  return openEcho(place, { say, until: 'HTTP/1.1 101' });
}

/** A request of HTTP/2 whose body never ends, as a client's gRPC stream is. */
export async function openStream(place: Place): Promise<Open> {
  const session = connectHttp2('http://app', { createConnection: () => connect(place) });
  session.on('error', () => undefined);
  const stream = session.request({ ':method': 'POST', ':path': '/stream' });
  let isClosed = false;
  stream.on('error', () => undefined);
  stream.on('close', () => {
    isClosed = true;
  });
  const open: Open = {
    get isClosed() {
      return isClosed;
    },
    echo: () =>
      withDeadline({ what: 'a written message', timeoutMs: 5_000 }, () => {
        return new Promise<void>((resolve, reject) => {
          stream.write('message', (error) => (error ? reject(error) : resolve()));
        });
      }),
    close: () => session.destroy(),
  };
  await open.echo();
  return open;
}
