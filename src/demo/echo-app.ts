// A small real application. It knows nothing about the mesh, and answers in JSON what reached it.
import { createHash } from 'node:crypto';
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import type { Server as NetServer, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { MeshError, systemErrorCode } from '../base/index.js';
import { delay } from './wait.js';

const LONGEST_DELAY_MS = 600_000;
/** RFC 6455 section 4.2.2. */
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export interface EchoOptions {
  /** The service's name, in each answer. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

export interface EchoHttpOptions extends EchoOptions {
  /** http2: by prior knowledge, without TLS, as behind a sidecar. Default http. */
  readonly protocol?: 'http' | 'http2';
}

/** The body of each answer. */
export interface EchoAnswer {
  readonly service: string;
  readonly method: string;
  readonly path: string;
  readonly httpVersion: string;
  /** As received, in lower case; a sidecar says in `x-forwarded-client-cert` who called. */
  readonly headers: IncomingHttpHeaders;
  readonly bodyBytes: number;
  /** `address:port` that connected to the application; in a mesh that is its sidecar. */
  readonly peer: string;
}

export interface EchoApp {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Requests (TCP: connections) seen so far. */
  readonly seen: number;
  /** Stops listening and cuts what is open. */
  close(): Promise<void>;
}

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/**
 * Answers every request with an EchoAnswer, status 200. `/slow?ms=500` waits first, `/status/418`
 * answers that status, an `Upgrade` is accepted and its bytes are echoed. Idle connections are kept
 * for good, so that a sidecar's pool never meets a connection that we closed. MeshError
 * `port-in-use` if the address is taken.
 */
export async function startEchoHttp(options: EchoHttpOptions): Promise<EchoApp> {
  const { name } = options;
  const sockets = new Set<Duplex>();
  let seen = 0;
  const answer = (request: Request, response: Response): void => {
    seen++;
    echo(name, request, response).catch(() => {
      // The caller has gone away, so there is nobody to answer.
    });
  };
  const server = options.protocol === 'http2' ? createHttp2Server(answer) : http1(answer);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await listen(server, options);
  return {
    ...{ name, address: options.address, port: options.port },
    get seen() {
      return seen;
    },
    close: () => shut(server, sockets),
  };
}

function http1(answer: (request: Request, response: Response) => void): HttpServer {
  const server = createHttpServer(answer);
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  server.on('upgrade', acceptUpgrade);
  return server;
}

async function echo(name: string, request: Request, response: Response): Promise<void> {
  let bodyBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) bodyBytes += chunk.length;
  const url = new URL(request.url ?? '/', 'http://echo');
  if (url.pathname === '/slow') {
    const wantedMs = Number(url.searchParams.get('ms') ?? 0) || 0;
    await delay(Math.min(Math.max(wantedMs, 0), LONGEST_DELAY_MS));
  }
  const status = Number(/^\/status\/([2-5]\d\d)$/.exec(url.pathname)?.[1] ?? 200);
  const body: EchoAnswer = {
    service: name,
    method: request.method ?? '',
    path: request.url ?? '',
    httpVersion: request.httpVersion,
    headers: request.headers,
    bodyBytes,
    peer: `${request.socket.remoteAddress}:${request.socket.remotePort}`,
  };
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  response.end(`${JSON.stringify(body)}\n`);
}

function acceptUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Connection: Upgrade',
    `Upgrade: ${request.headers.upgrade ?? 'websocket'}`,
  ];
  const key = request.headers['sec-websocket-key'];
  if (key !== undefined) {
    const accept = createHash('sha1').update(`${key}${WEBSOCKET_GUID}`).digest('base64');
    lines.push(`Sec-WebSocket-Accept: ${accept}`);
  }
  socket.on('error', () => socket.destroy());
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (head.length > 0) socket.write(head);
  socket.pipe(socket);
}

/** Resolves when `server` listens; MeshError `port-in-use` if the address is taken. */
export function listen(server: NetServer, { name, address, port }: EchoOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => {
      if (systemErrorCode(error) !== 'EADDRINUSE') {
        reject(error);
        return;
      }
      const message = `expected ${address}:${port} to be free for ${name} but it is taken`;
      reject(new MeshError('port-in-use', message, { cause: error }));
    };
    server.once('error', onError);
    server.listen({ host: address, port, exclusive: true }, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

function shut(server: NetServer, sockets: ReadonlySet<Duplex>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  });
}
