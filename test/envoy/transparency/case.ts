import type { Message } from './http1.js';
import type { SendStep } from './raw-client.js';
import type { AnswerStep } from './recorder.js';

/** How a request gets to the application. */
export type Way =
  /** From an application through its own sidecar and the callee's. */
  | 'mesh'
  /** In plain text to the declared port. */
  | 'plain'
  /** With a mesh certificate to the declared port. */
  | 'cert';

export const WAYS: readonly Way[] = ['mesh', 'plain', 'cert'];

/** What was seen at both ends, made comparable. */
export interface Observed {
  readonly requests: readonly Message[];
  readonly answers: readonly Message[];
  readonly tunnelled: { readonly sent: string; readonly received: string };
  readonly cut: boolean;
}

/** A difference that can't be helped; docs/limits.md has a line with this name. */
export interface Difference {
  readonly limit: string;
  /** Whether the application sees the request is a matter of chance. */
  readonly byChance?: boolean;
  /** From what arrives directly to what arrives through sidecars. */
  readonly becomes: (direct: Observed, way: Way) => Observed;
}

export interface Case {
  readonly name: string;
  /** Who needs it, or what broke without it. */
  readonly why: string;
  readonly send: readonly SendStep[];
  /** The method of each request. */
  readonly methods: readonly string[];
  /** One script for each request. */
  readonly answers: readonly (readonly AnswerStep[])[];
  /** Bytes that the client waits for after an upgrade. */
  readonly tunnelled?: string;
  /** `case`: a port with headerCase preserve. */
  readonly port?: 'open' | 'case';
  readonly differs?: Difference;
}

const DATE = 'date: Sat, 28 Nov 2026 06:00:00 GMT';
export const OK = `HTTP/1.1 200 OK\r\n${DATE}\r\ncontent-length: 2\r\n\r\nok`;

/** A request of HTTP/1.1, framed by the length of its body. */
export function request(line: string, headers: readonly string[] = [], body = ''): string {
  const all = headers.some((header) => /^host:/i.test(header)) ? headers : [HOST, ...headers];
  const framed = body === '' ? all : [...all, `content-length: ${body.length}`];
  return `${line} HTTP/1.1\r\n${framed.map((header) => `${header}\r\n`).join('')}\r\n${body}`;
}

export const HOST = 'host: app.example';

/** An answer of HTTP/1.1, framed by the length of its body. */
export function answer(status: string, headers: readonly string[] = [], body = 'ok'): string {
  const all = [DATE, ...headers, `content-length: ${body.length}`];
  return `HTTP/1.1 ${status}\r\n${all.map((header) => `${header}\r\n`).join('')}\r\n${body}`;
}

/** An answer with its headers as they are, and no others. */
export function bareAnswer(status: string, headers: readonly string[], body = ''): string {
  return `HTTP/1.1 ${status}\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n${body}`;
}

export function chunked(chunks: readonly string[], trailers: readonly string[] = []): string {
  const parts = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  return `${parts.join('')}0\r\n${trailers.map((line) => `${line}\r\n`).join('')}\r\n`;
}

export { DATE };

type Row = Pick<Case, 'name' | 'why'> & Partial<Case>;

/** A case with what is usual filled in: one request, answered 200 when it is whole. */
export function toCase(row: Row): Case {
  const [first = ''] = row.send ?? [];
  const method = typeof first === 'string' ? (first.split(' ')[0] ?? 'GET') : 'GET';
  const whole: readonly AnswerStep[] = [{ on: 'request' }, { send: OK }];
  return { send: [], methods: [method], answers: [whole], ...row };
}

/** A case of one request. */
export function asks(name: string, send: string, why: string, more: Partial<Case> = {}): Case {
  return toCase({ name, why, send: [send], ...more });
}

/** A case of a plain GET that is answered so. */
export function answers(name: string, sent: string, why: string, more: Partial<Case> = {}): Case {
  const ends = /content-length|transfer-encoding/i.test(sent) ? [] : (['end'] as const);
  return toCase({
    name,
    why,
    send: [request('GET /answer')],
    answers: [[{ on: 'request' }, { send: sent }, ...ends]],
    ...more,
  });
}
