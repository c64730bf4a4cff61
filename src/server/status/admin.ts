// The admin port: what the commands ask of a running server, over HTTP and JSON under /v1/, with
// /healthz, /readyz and /metrics beside it. On loopback it is open to this machine's users, so it
// only reads; the Host check keeps a web page of another origin from reading it through a browser
// (DNS rebinding).
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { type ErrorCode, escapeControls, MeshError, toShortText } from '../../base/index.js';
import { hintOf } from '../../terminal/index.js';

export interface AdminRequest {
  readonly query: URLSearchParams;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

export interface AdminReply {
  readonly status?: number;
  readonly contentType?: string;
  readonly body: string;
}

export type AdminHandler = (request: AdminRequest) => AdminReply | Promise<AdminReply>;

export interface AdminOptions {
  /** By path. */
  readonly routes: ReadonlyMap<string, AdminHandler>;
  /** True where the Authorization header is good enough for an address that isn't loopback. */
  readonly authorize: (authorization: string | undefined) => boolean;
  readonly onError: (error: unknown) => void;
}

/** For health checks: they say nothing but that the server answers. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

const STATUS_OF: Partial<Record<ErrorCode, number>> = {
  'service-unknown': 404,
  'request-invalid': 400,
  'identity-invalid': 400,
  'resource-limit': 400,
};

const BASE = 'http://admin';
/** Fewer than the files that are kept for it: the disk needs some too. */
const MOST_CONNECTIONS = 100;
/** Characters of a request that an answer repeats. */
const MAX_SHOWN = 200;

export function toJsonReply(value: unknown, status = 200): AdminReply {
  return {
    status,
    contentType: 'application/json',
    body: `${escapeControls(JSON.stringify(value))}\n`,
  };
}

export function createAdminServer(options: AdminOptions): Server {
  const server = createServer((request, response) => {
    answer(request, options, response)
      .catch((error: unknown) => toErrorReply(error, options))
      .then((reply) => send(response, request, reply))
      .catch(options.onError);
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  return server;
}

async function answer(
  request: IncomingMessage,
  { routes, authorize }: AdminOptions,
  response: ServerResponse,
): Promise<AdminReply> {
  const url = tryUrl(request.url);
  if (url === undefined) {
    const error = `expected a path but got "${toShortText(request.url ?? '', MAX_SHOWN)}"`;
    return toJsonReply({ error }, 400);
  }
  if (!OPEN_PATHS.has(url.pathname) && !authorize(request.headers.authorization)) {
    if (!isLoopback(request.socket.localAddress)) {
      return toJsonReply({ error: 'expected an admin token (authorization: Bearer)' }, 401);
    }
    if (!isHostAllowed(request.headers.host)) {
      const error = 'expected a Host header that is an IP address or localhost, or an admin token';
      return toJsonReply({ error }, 403);
    }
  }
  const handler = routes.get(url.pathname);
  if (handler === undefined)
    return toJsonReply({ error: `no such path "${toShortText(url.pathname, MAX_SHOWN)}"` }, 404);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return toJsonReply({ error: `expected GET but got ${request.method}` }, 405);
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return handler({ query: url.searchParams, signal: gone.signal });
}

/** Undefined for what is no path, such as `//`. */
function tryUrl(text = '/'): URL | undefined {
  return URL.canParse(text, BASE) ? new URL(text, BASE) : undefined;
}

function toErrorReply(error: unknown, { onError }: AdminOptions): AdminReply {
  if (error instanceof MeshError) {
    const { message, code } = error;
    return toJsonReply({ error: message, code, hint: hintOf(error) }, STATUS_OF[code] ?? 500);
  }
  onError(error);
  return toJsonReply({ error: 'internal error' }, 500);
}

function send(response: ServerResponse, request: IncomingMessage, reply: AdminReply): void {
  response.writeHead(reply.status ?? 200, {
    'content-type': reply.contentType ?? 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(reply.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : reply.body);
}

function isHostAllowed(host: string | undefined): boolean {
  if (host === undefined) return true;
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isIP(name) !== 0;
}

function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false;
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.');
}
