// Questions to a running server, as JSON over HTTP on its admin port. Uses node:http because it
// loads faster than fetch, and questions need no redirects, cookies or proxies.
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { ERROR_CODES, type ErrorCode, MeshError, systemErrorCode } from '../base/index.js';
import { formatHostPort, type HostPort, type ServerOptions, usage } from './options.js';

/** Longer answers are refused: thousands of proxies fit. */
const ANSWER_LIMIT_BYTES = 64 * 1024 * 1024;
/** After this much silence, beyond the wait that was asked for, the server is unreachable. */
const SILENCE_MS = 10_000;

export interface Question extends ServerOptions {
  /** With its query, such as `/v1/wait?timeout_ms=1000`. */
  readonly path: string;
  /** The server may take this long by design. */
  readonly waitMs?: number;
  /** Statuses other than 200 whose body is an answer too. */
  readonly answers?: readonly number[];
}

/**
 * The body of the server's answer.
 * @throws MeshError server-unreachable; usage if the token's file can't be read; otherwise what
 * the server says: its own code, or server-error.
 */
export async function ask(question: Question): Promise<unknown> {
  const { status, text } = await exchange(question);
  const body = tryJson(text);
  const isAnswer = status === 200 || question.answers?.includes(status) === true;
  if (isAnswer && body !== undefined) return body;
  throw toError({ status, body, server: question.server });
}

interface Reply {
  readonly status: number;
  readonly text: string;
}

function exchange(question: Question): Promise<Reply> {
  const { server, path, waitMs = 0, adminTokenFile } = question;
  const headers = adminTokenFile === undefined ? {} : { authorization: toBearer(adminTokenFile) };
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(unreachable(server, error));
    const { host, port } = server;
    // `localhost` is the name that the server's check against rebound names lets through.
    const outgoing = request({ host, port, path, headers, agent: false }, (response) => {
      collect(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), fail);
    });
    outgoing.setTimeout(waitMs + SILENCE_MS, () => outgoing.destroy(new Error('no answer')));
    outgoing.once('error', fail);
    outgoing.end();
  });
}

async function collect(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > ANSWER_LIMIT_BYTES) throw new Error('an endless answer');
  }
  return Buffer.concat(chunks).toString('utf8');
}

function toBearer(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    const code = systemErrorCode(error) ?? 'an error';
    throw usage(`--admin-token-file: expected a file to read at ${path} but got ${code}`);
  }
  // Only what a header may carry. The message must not repeat it.
  if (/^[\x21-\x7e]+$/.test(token)) return `Bearer ${token}`;
  throw usage(
    `--admin-token-file: expected a token in ${path} but got something else`,
    'make one with `countersign token --admin`',
  );
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the connection was cut',
  EHOSTUNREACH: 'no route to it',
  ENETUNREACH: 'no route to it',
  ENOTFOUND: 'an unknown host name',
  ETIMEDOUT: 'no answer',
};

function unreachable(server: HostPort, cause: unknown): MeshError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const reason = REASONS[systemErrorCode(cause) ?? ''] ?? text;
  const message = `expected a server at ${formatHostPort(server)} but got ${reason}`;
  return new MeshError('server-unreachable', message, {
    cause,
    hint: 'start `countersign serve`, or name its admin port with --server',
  });
}

function toError(reply: {
  readonly status: number;
  readonly body: unknown;
  readonly server: HostPort;
}): MeshError {
  const { status, body, server } = reply;
  const fields = typeof body === 'object' && body !== null ? body : {};
  const { error, code, hint } = fields as Partial<Record<'error' | 'code' | 'hint', unknown>>;
  if (typeof error !== 'string') {
    const place = formatHostPort(server);
    const message = `expected a Countersign server at ${place} but got HTTP status ${status}`;
    return new MeshError('server-unreachable', message, {
      hint: 'another program listens there: name the admin port with --server',
    });
  }
  if (status === 401) {
    return new MeshError('token-missing', `the server refuses: ${error}`, {
      hint: 'give one with --admin-token-file: `countersign token --admin` makes it',
    });
  }
  const options = typeof hint === 'string' ? { hint } : {};
  return new MeshError(toCode(code), `the server says: ${error}`, options);
}

function toCode(code: unknown): ErrorCode {
  const known = typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);
  return known ? (code as ErrorCode) : 'server-error';
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
