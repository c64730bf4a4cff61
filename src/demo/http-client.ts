import {
  type Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { connect as http2Connect } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type TlsFacts, type TlsOptions, toConnectOptions, toTlsFacts } from './tls-client.js';
import { withDeadline } from './wait.js';

const BODY_LIMIT_BYTES = 4 * 1024 * 1024;

export interface HttpCall {
  readonly address: string;
  readonly port: number;
  /** Default GET. */
  readonly method?: string;
  /** Default `/`. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Absent: plain text. */
  readonly tls?: TlsOptions;
  /** HTTP/2: with ALPN over TLS, with prior knowledge in plain text. `agent` is ignored then. */
  readonly http2?: boolean;
  /** Default: a connection for this call alone. Must be an https.Agent if `tls` is given. */
  readonly agent?: Agent;
  /** The loopback address to call from. */
  readonly localAddress?: string;
  /** For the whole call; default 5 s. */
  readonly timeoutMs?: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** What the handshake agreed on; absent in plain text. */
  readonly tls?: TlsFacts;
}

/**
 * One HTTP request. Rejects with the system's or OpenSSL's error if the connection is refused,
 * reset or fails its handshake, and with MeshError `timeout`. Any status counts as an answer.
 */
export function httpCall(call: HttpCall): Promise<HttpAnswer> {
  const { method = 'GET', path = '/', timeoutMs = 5000 } = call;
  const what = `an answer to ${method} ${path} from ${call.address}:${call.port}`;
  return withDeadline({ what, timeoutMs }, (signal) =>
    call.http2 ? overHttp2(call, signal) : overHttp1(call, signal),
  );
}

function overHttp1(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const options = {
      host: call.address,
      port: call.port,
      method: call.method ?? 'GET',
      path: call.path ?? '/',
      headers: { ...call.headers },
      agent: call.agent ?? false,
      signal,
      ...(call.localAddress === undefined ? {} : { localAddress: call.localAddress }),
    };
    const onResponse = (response: IncomingMessage): void => {
      const tls = factsOf(response.socket);
      const { statusCode: status = 0, headers } = response;
      readBody(response).then(
        (body) => resolve({ status, headers, body, ...(tls === undefined ? {} : { tls }) }),
        reject,
      );
    };
    const request: ClientRequest =
      call.tls === undefined
        ? httpRequest(options, onResponse)
        : httpsRequest({ ...options, ...toConnectOptions(call.tls, call.address) }, onResponse);
    request.on('error', reject);
    request.end(call.body);
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_LIMIT_BYTES) {
      throw new Error(`expected at most ${BODY_LIMIT_BYTES} bytes of body but got more`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function overHttp2(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const scheme = call.tls === undefined ? 'http' : 'https';
    const tlsOptions = call.tls && { ...toConnectOptions(call.tls, call.address) };
    const session = http2Connect(`${scheme}://${call.address}:${call.port}`, {
      ...tlsOptions,
      ...(call.tls === undefined ? {} : { ALPNProtocols: ['h2'] }),
      ...(call.localAddress === undefined ? {} : { localAddress: call.localAddress }),
    });
    const fail = (error: unknown): void => {
      session.destroy();
      reject(error);
    };
    signal.addEventListener('abort', () => fail(new Error('aborted')));
    session.on('error', fail);
    session.on('close', () => reject(new Error('connection closed before an answer')));
    // `session.socket` is a proxy that hides a TLS socket's own methods; this is the socket itself.
    let tls: TlsFacts | undefined;
    session.on('connect', (_session, socket) => {
      tls = factsOf(socket);
    });
    const stream = session.request({
      ...call.headers,
      ':method': call.method ?? 'GET',
      ':path': call.path ?? '/',
    });
    stream.setEncoding('utf8');
    let status = 0;
    let headers: IncomingHttpHeaders = {};
    let body = '';
    stream.on('response', (received) => {
      status = received[':status'] ?? 0;
      headers = received;
    });
    stream.on('data', (text: string) => {
      body += text;
      if (body.length > BODY_LIMIT_BYTES) fail(new Error('body too long'));
    });
    stream.on('error', fail);
    stream.on('end', () => {
      // In Node a stream that was cut ends as well. Only one with a status and without a reset is
      // an answer.
      if (status === 0 || stream.aborted) return;
      resolve({ status, headers, body, ...(tls === undefined ? {} : { tls }) });
      session.close();
    });
    stream.end(call.body);
  });
}

function factsOf(socket: Socket | TLSSocket): TlsFacts | undefined {
  return socket instanceof TLSSocket ? toTlsFacts(socket) : undefined;
}
