import { TLSSocket } from 'node:tls';
import { openSocket, type SocketTarget } from './open-socket.js';
import { type TlsFacts, toTlsFacts } from './tls-client.js';
import { withDeadline } from './wait.js';

const ANSWER_LIMIT_BYTES = 1024 * 1024;

export interface TcpExchange extends SocketTarget {
  /** Bytes (UTF-8) to send at once; absent: only listens, for a server that speaks first. */
  readonly send?: string;
  /** Whether what was received is the whole answer; default: the first byte is. */
  readonly until?: (received: string) => boolean;
  /** For the whole exchange; default 5 s. */
  readonly timeoutMs?: number;
}

export interface TcpAnswer {
  readonly received: string;
  readonly tls?: TlsFacts;
}

/**
 * Connects, sends, and returns what came back. Rejects if the connection is refused, reset, fails
 * its handshake or is closed before the answer is complete, and with MeshError `timeout`.
 */
export function tcpExchange(exchange: TcpExchange): Promise<TcpAnswer> {
  const { address, port, until = () => true, timeoutMs = 5000 } = exchange;
  return withDeadline({ what: `an answer from ${address}:${port}`, timeoutMs }, (signal) => {
    const socket = openSocket(exchange);
    signal.addEventListener('abort', () => socket.destroy());
    const answer = new Promise<TcpAnswer>((resolve, reject) => {
      let received = '';
      socket.setEncoding('utf8');
      socket.on('data', (text: string) => {
        received += text;
        if (until(received)) {
          const tls = socket instanceof TLSSocket ? toTlsFacts(socket) : undefined;
          resolve({ received, ...(tls === undefined ? {} : { tls }) });
        } else if (received.length > ANSWER_LIMIT_BYTES) {
          reject(new Error(`expected at most ${ANSWER_LIMIT_BYTES} bytes but got more`));
        }
      });
      socket.on('error', reject);
      socket.on('end', () => reject(closed(received)));
      socket.on('close', () => reject(closed(received)));
      if (exchange.send !== undefined) socket.write(exchange.send);
    });
    return answer.finally(() => socket.destroy());
  });
}

function closed(received: string): Error {
  return new Error(`connection closed after ${received.length} bytes, before the answer`);
}
