import type { Socket } from 'node:net';
import type { Shot } from '../../src/demo/load.js';
import type { ConnectionUse } from '../../src/demo/load-shots.js';
import { openSocket } from '../../src/demo/open-socket.js';
import { type TcpExchange, tcpExchange } from '../../src/demo/tcp-client.js';
import { withDeadline } from '../../src/demo/wait.js';

type TcpTarget = Pick<TcpExchange, 'address' | 'port' | 'tls' | 'localAddress' | 'timeoutMs'>;

/** Lines to a TCP application that echoes them (startEchoTcp); the answer is `echoed`. */
export function tcpShot(target: TcpTarget, use: ConnectionUse): () => Shot {
  if (use === 'per-request') {
    return () => ({
      fire: async () => {
        await tcpExchange({ ...target, send: 'ping\n', until: (text) => text.endsWith('ping\n') });
        return 'echoed';
      },
      close: () => {},
    });
  }
  return () => keptConnection(target);
}

/** One connection for all lines; a new one after a failure. */
function keptConnection(target: TcpTarget): Shot {
  const { timeoutMs = 5000 } = target;
  let socket: Socket | undefined;
  let line = 0;
  const drop = (): void => {
    socket?.destroy();
    socket = undefined;
  };
  return {
    async fire() {
      const text = `line ${++line}\n`;
      socket ??= openSocket(target).setEncoding('utf8');
      const open = socket;
      try {
        await withDeadline({ what: 'an echo', timeoutMs }, () => echoed(open, text));
      } catch (error) {
        drop();
        throw error;
      }
      return 'echoed';
    },
    close: drop,
  };
}

function echoed(socket: Socket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = '';
    const settle = (end: () => void): void => {
      socket.off('data', onData).off('error', onError).off('close', onClose).off('end', onClose);
      // An error between two lines is found again at the next; unheard it would end this process.
      socket.on('error', ignore);
      end();
    };
    const onData = (chunk: string): void => {
      received += chunk;
      if (received.endsWith(text)) settle(resolve);
    };
    const onError = (error: Error): void => settle(() => reject(error));
    const onClose = (): void => settle(() => reject(new Error('connection closed, no echo')));
    socket.off('error', ignore);
    if (socket.destroyed || socket.readableEnded) {
      reject(new Error('connection closed between two lines'));
      return;
    }
    socket.on('data', onData).on('error', onError).on('close', onClose).on('end', onClose);
    socket.write(text);
  });
}

function ignore(): void {}
