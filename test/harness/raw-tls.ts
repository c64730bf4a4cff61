import { connect, type SecureVersion } from 'node:tls';
import { withDeadline } from '../../src/demo/wait.js';

/** Whoever holds a key, without a sidecar. */
export interface RawTls {
  readonly address: string;
  readonly port: number;
  readonly servername: string;
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
  readonly maxVersion?: SecureVersion;
  /** Of an earlier connection, to be resumed. */
  readonly session?: Buffer | undefined;
}

export interface RawAnswer {
  /** `200`, or `refused` where the connection ended without an answer. */
  readonly outcome: string;
  readonly resumed: boolean;
  /** The newest that the server gave. */
  readonly session: Buffer | undefined;
}

/** One HTTP/1.1 request over TLS; the session can be resumed by the next. */
export function rawRequest(options: RawTls): Promise<RawAnswer> {
  const { address, port, servername, key, cert, ca, maxVersion, session: resume } = options;
  const what = `an answer from ${address}:${port}`;
  return withDeadline({ what, timeoutMs: 5_000 }, (signal) => {
    const socket = connect({
      host: address,
      port,
      ...{ servername, key, cert, ca },
      checkServerIdentity: () => undefined,
      ...(maxVersion === undefined ? {} : { maxVersion }),
      ...(resume === undefined ? {} : { session: resume }),
    });
    signal.addEventListener('abort', () => socket.destroy());
    let session: Buffer | undefined;
    let text = '';
    let resumed = false;
    socket.on('secureConnect', () => {
      resumed = socket.isSessionReused();
    });
    socket.on('session', (given: Buffer) => {
      session = given;
    });
    socket.on('error', () => undefined);
    socket.write(`GET / HTTP/1.1\r\nhost: ${servername}\r\nconnection: close\r\n\r\n`);
    return new Promise<RawAnswer>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
      });
      socket.on('close', () => {
        const [, status = 'refused'] = /^HTTP\/1\.1 (\d{3})/.exec(text) ?? [];
        resolve({ outcome: status, resumed, session });
      });
    });
  });
}
