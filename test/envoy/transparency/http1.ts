// HTTP/1 as bytes: a reader of messages that changes nothing, so that two arrivals can be compared.

/** A message as it arrived: start line and header lines as bytes have them (latin1). */
export interface Message {
  readonly start: string;
  /** `Name: value`, in order. */
  readonly headers: readonly string[];
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  readonly body: string;
  readonly trailers: readonly string[];
}

export interface Parsed {
  readonly message: Message;
  /** What follows the message. */
  readonly rest: string;
}

export interface Expected {
  readonly kind: 'request' | 'response';
  /** The method that a response answers. */
  readonly method?: string;
  /** The peer has ended its side. */
  readonly ended?: boolean;
}

export function headerOf(headers: readonly string[], name: string): string | undefined {
  return headers
    .find((line) => line.toLowerCase().startsWith(`${name}:`))
    ?.slice(name.length + 1)
    .trim();
}

/** The head of the next message, where it has arrived whole. */
export function tryHead(
  text: string,
): { start: string; headers: string[]; rest: string } | undefined {
  // RFC 9112 section 2.2: empty lines before a message are none of it.
  const begin = /^(?:\r\n)*/.exec(text)?.[0].length ?? 0;
  const end = text.indexOf('\r\n\r\n', begin);
  if (end < 0) return undefined;
  const [start = '', ...headers] = text.slice(begin, end).split('\r\n');
  return { start, headers, rest: text.slice(end + 4) };
}

export function statusOf(start: string): number {
  return Number(start.split(' ')[1]);
}

/** The next message, where it has arrived whole. */
export function tryMessage(text: string, expected: Expected): Parsed | undefined {
  const head = tryHead(text);
  if (head === undefined) return undefined;
  const { start, headers, rest } = head;
  const message = (
    framing: Message['framing'],
    body: string,
    more: { trailers?: readonly string[]; rest: string },
  ): Parsed => ({
    message: { start, headers, framing, body, trailers: more.trailers ?? [] },
    rest: more.rest,
  });
  const isResponse = expected.kind === 'response';
  const status = isResponse ? statusOf(start) : 0;
  const bodiless = status < 200 || status === 204 || status === 304 || expected.method === 'HEAD';
  if (isResponse && bodiless) return message('none', '', { rest });
  if (headerOf(headers, 'transfer-encoding')?.toLowerCase() === 'chunked') {
    const chunked = tryChunked(rest);
    return chunked && message('chunked', chunked.body, chunked);
  }
  const length = headerOf(headers, 'content-length');
  if (length !== undefined) {
    const size = Number(length);
    if (rest.length < size) return undefined;
    return message('length', rest.slice(0, size), { rest: rest.slice(size) });
  }
  if (!isResponse) return message('none', '', { rest });
  return expected.ended === true ? message('close', rest, { rest: '' }) : undefined;
}

function tryChunked(text: string): { body: string; trailers: string[]; rest: string } | undefined {
  let body = '';
  let rest = text;
  for (;;) {
    const line = rest.indexOf('\r\n');
    if (line < 0) return undefined;
    const size = Number.parseInt(rest.slice(0, line), 16);
    rest = rest.slice(line + 2);
    if (size === 0) break;
    if (rest.length < size + 2) return undefined;
    body += rest.slice(0, size);
    rest = rest.slice(size + 2);
  }
  if (rest.startsWith('\r\n')) return { body, trailers: [], rest: rest.slice(2) };
  const end = rest.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  return { body, trailers: rest.slice(0, end).split('\r\n'), rest: rest.slice(end + 4) };
}
