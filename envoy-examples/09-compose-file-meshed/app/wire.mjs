// As little of three protocols as the shop needs, without a dependency: PostgreSQL with a password
// in plain text, Redis, and gRPC.
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';

const TIMEOUT_MS = 5_000;

/** The rows of one statement, as text. */
export function query(url, sql) {
  const { hostname, port, username, password, pathname } = new URL(url);
  const user = decodeURIComponent(username);
  const parameters = ['user', user, 'database', pathname.slice(1), ''].join('\0');
  return exchange({ host: hostname, port: Number(port) || 5432 }, (socket, finish) => {
    const send = (type, text) => {
      const body = Buffer.from(`${text}\0`);
      const head = Buffer.alloc(5);
      head.write(type);
      head.writeInt32BE(body.length + 4, 1);
      socket.write(Buffer.concat([head, body]));
    };
    const start = Buffer.from(`\0\0\0\0\0\0\0\0${parameters}\0`);
    start.writeInt32BE(start.length);
    start.writeInt32BE(196_608, 4);
    socket.write(start);
    const rows = [];
    let isAsked = false;
    return (bytes) => {
      let rest = bytes;
      while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
        const type = String.fromCharCode(rest[0]);
        const body = rest.subarray(5, rest.readInt32BE(1) + 1);
        rest = rest.subarray(rest.readInt32BE(1) + 1);
        if (type === 'R' && body.readInt32BE(0) === 3) send('p', decodeURIComponent(password));
        if (type === 'E') finish(new Error(body.toString().replaceAll('\0', ' ')));
        if (type === 'D') rows.push(toRow(body));
        if (type === 'Z' && isAsked) finish(undefined, rows);
        if (type === 'Z' && !isAsked) {
          send('Q', sql);
          isAsked = true;
        }
      }
      return rest;
    };
  });
}

function toRow(body) {
  const row = [];
  let at = 2;
  for (let column = 0; column < body.readInt16BE(0); column++) {
    const length = body.readInt32BE(at);
    row.push(length < 0 ? null : body.toString('utf8', at + 4, at + 4 + length));
    at += 4 + Math.max(0, length);
  }
  return row;
}

/** Redis's answer to one command, as it wrote it: `+PONG`, `:1`, or the text of a list's last. */
export function redis(url, ...words) {
  const { hostname, port } = new URL(url);
  return exchange({ host: hostname, port: Number(port) || 6379 }, (socket, finish) => {
    const command = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    socket.write(`*${words.length}\r\n${command.join('')}`);
    return (bytes) => {
      const text = bytes.toString();
      if (text.startsWith('-')) finish(new Error(text.trim()));
      // A list has as many values as its head says, each with its length on a line before it.
      const lines = text.split('\r\n');
      const wanted = text.startsWith('*') ? 2 * Math.max(0, Number(lines[0].slice(1))) + 2 : 2;
      if (text.endsWith('\r\n') && lines.length >= wanted) finish(undefined, lines.at(-2));
      return bytes;
    };
  });
}

/** One connection, its bytes taken by what `begin` returns, which gives back those that it left. */
function exchange(target, begin) {
  return new Promise((resolve, reject) => {
    const socket = connect(target);
    const finish = (error, value) => {
      socket.destroy();
      if (error === undefined) resolve(value);
      else reject(error);
    };
    socket.setTimeout(TIMEOUT_MS, () => finish(new Error(`no answer from ${target.host}`)));
    socket.on('error', finish);
    socket.on('close', () => finish(new Error(`${target.host} closed the connection`)));
    socket.on('connect', () => {
      const take = begin(socket, finish);
      let rest = Buffer.alloc(0);
      socket.on('data', (chunk) => {
        rest = take(Buffer.concat([rest, chunk]));
      });
    });
  });
}

/** The text that a gRPC method without a request answers, in a message's first field. */
export function grpc(url, method) {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(url.replace('grpc:', 'http:'));
    const request = session.request({
      ':method': 'POST',
      ':path': method,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const finish = (error, value) => {
      session.destroy();
      if (error === undefined) resolve(value);
      else reject(error);
    };
    const parts = [];
    let status;
    session.on('error', finish);
    session.setTimeout(TIMEOUT_MS, () => finish(new Error(`no answer from ${url}`)));
    request.on('error', finish);
    request.on('response', (headers) => {
      status = headers['grpc-status'];
    });
    request.on('trailers', (trailers) => {
      status = trailers['grpc-status'];
    });
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      if (status !== '0') finish(new Error(`gRPC status ${status} from ${url}`));
      else finish(undefined, Buffer.concat(parts).subarray(7).toString());
    });
    request.end(Buffer.alloc(5));
  });
}
