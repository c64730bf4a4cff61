// HTTP/2 as no client library would send it (RFC 9113), over TLS to the xDS port.
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const TYPES = { headers: 1, reset: 3, settings: 4, ping: 6, continuation: 9 };
const FRAME_HEADER = 9;

export function toFrame(type, { flags = 0, stream = 0, payload = Buffer.alloc(0) } = {}) {
  const header = Buffer.alloc(FRAME_HEADER);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** Literals without indexing (RFC 7541 6.2.2). */
export function toHeaders(fields) {
  const text = (of) => Buffer.concat([Buffer.from([of.length]), Buffer.from(of)]);
  return Buffer.concat(
    Object.entries(fields).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]),
  );
}

/** A message of gRPC. */
export function toMessage(bytes) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** A TLS connection that forgets what it reads, with its TCP one; undefined: there is none. */
export function openTls({ host, port, servername }) {
  return new Promise((resolve) => {
    const tcp = connectTcp({ host, port });
    const options = { socket: tcp, servername, ALPNProtocols: ['h2'], rejectUnauthorized: false };
    const socket = connect(options);
    socket.setMaxListeners(0);
    const fail = () => resolve(undefined);
    for (const one of [tcp, socket]) one.on('error', fail).on('close', fail);
    socket.once('secureConnect', () => resolve(Object.assign(socket, { tcp })));
    socket.resume();
  });
}
