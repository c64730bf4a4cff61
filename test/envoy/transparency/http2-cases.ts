import type { ServerHttp2Stream } from 'node:http2';

// The same for HTTP/2 and gRPC: what arrives directly arrives through sidecars.

export interface Sent {
  readonly name: string;
  readonly why: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
  readonly trailers?: Readonly<Record<string, string>>;
  readonly answer?: (stream: ServerHttp2Stream) => void;
}

const GRPC = {
  ':method': 'POST',
  ':path': '/pkg.Service/Method',
  'content-type': 'application/grpc',
};
const status = (code: number) => (stream: ServerHttp2Stream) =>
  stream.respond({ ':status': code }, { endStream: true });
const FRAME = '\0\0\0\0\x02hi';

export const HTTP2_CASES: readonly Sent[] = [
  { name: 'GET', why: 'the simplest', headers: {} },
  {
    name: 'a port in :authority',
    why: 'signatures cover it',
    headers: { ':authority': 'app.example:9201' },
  },
  {
    name: 'upper case in :authority',
    why: 'nothing is lowered',
    headers: { ':authority': 'APP.example' },
  },
  { name: 'double slashes', why: 'S3 keys', headers: { ':path': '//a//b' } },
  { name: 'dot segments', why: 'not ours to resolve', headers: { ':path': '/a/./b/../c' } },
  { name: 'escaped slashes', why: 'RabbitMQ', headers: { ':path': '/api/%2F/%5C' } },
  { name: 'a method of one’s own', why: 'WebDAV over HTTP/2', headers: { ':method': 'PROPFIND' } },
  { name: 'LIST', why: 'Vault', headers: { ':method': 'LIST' } },
  { name: 'a method in lower case', why: 'another one than GET', headers: { ':method': 'get' } },
  {
    name: 'metadata with _',
    why: 'tenant_id was UNAVAILABLE',
    headers: { ...GRPC, tenant_id: '7' },
    body: FRAME,
  },
  {
    name: 'binary metadata',
    why: 'gRPC -bin',
    headers: { ...GRPC, 'trace-bin': 'AAEC/w==' },
    body: FRAME,
  },
  {
    name: 'grpc-timeout',
    why: 'the deadline is the application’s',
    headers: { ...GRPC, 'grpc-timeout': '5S', te: 'trailers' },
    body: FRAME,
  },
  {
    name: 'repeated metadata',
    why: 'order matters',
    headers: { ...GRPC, 'x-twice': ['a', 'b'] },
    body: FRAME,
  },
  { name: 'cookies in pieces', why: 'RFC 9113 section 8.2.3', headers: { cookie: ['a=1', 'b=2'] } },
  {
    name: 'metadata of 60 kB in one field',
    why: 'tokens',
    headers: { ...GRPC, 'x-big': 'v'.repeat(60_000) },
    body: FRAME,
  },
  {
    name: 'metadata of 70 kB',
    why: 'it failed other calls of its channel',
    headers: {
      ...GRPC,
      ...Object.fromEntries(
        Array.from({ length: 7 }, (_, i) => [`x-big-${i}`, 'v'.repeat(10_000)]),
      ),
    },
    body: FRAME,
  },
  {
    name: '200 headers',
    why: 'over 100 was 431',
    headers: Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`x-many-${i}`, String(i)])),
  },
  {
    name: 'a body with a length',
    why: 'uploads',
    headers: { ':method': 'PUT', 'content-length': '4' },
    body: 'body',
  },
  { name: 'a body without a length', why: 'streams', headers: { ':method': 'POST' }, body: 'body' },
  {
    name: 'a body of 2 MB',
    why: 'more than any window',
    headers: { ':method': 'POST' },
    body: 'b'.repeat(2_000_000),
  },
  {
    name: 'trailers of a request',
    why: 'checksums',
    headers: { ':method': 'POST' },
    body: 'x',
    trailers: { 'x-sum': '1', 'x-b': '2' },
  },
  {
    name: 'trailers of an answer',
    why: 'grpc-status',
    headers: GRPC,
    body: FRAME,
    answer: (stream) => {
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc' },
        { waitForTrailers: true },
      );
      stream.on('wantTrailers', () =>
        stream.sendTrailers({ 'grpc-status': '5', 'grpc-message': 'not%20there' }),
      );
      stream.end(FRAME);
    },
  },
  {
    name: 'an answer of trailers alone',
    why: 'gRPC errors',
    headers: GRPC,
    body: FRAME,
    answer: (stream) =>
      stream.respond(
        {
          ':status': 200,
          'content-type': 'application/grpc',
          'grpc-status': '16',
          'grpc-message': 'no',
        },
        { endStream: true },
      ),
  },
  { name: '204', why: 'no body', headers: {}, answer: status(204) },
  { name: '404', why: 'the application’s own', headers: {}, answer: status(404) },
  { name: '503', why: 'not tried again', headers: {}, answer: status(503) },
  {
    name: '103',
    why: 'early hints',
    headers: {},
    answer: (stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a>' });
      stream.respond({ ':status': 200 });
      stream.end('ok');
    },
  },
  {
    name: 'an answer with 70 kB of headers',
    why: 'it passed plain and failed in the mesh',
    headers: {},
    answer: (stream) => {
      stream.respond({
        ':status': 200,
        ...Object.fromEntries(
          Array.from({ length: 7 }, (_, i) => [`x-big-${i}`, 'v'.repeat(10_000)]),
        ),
      });
      stream.end('ok');
    },
  },
  {
    name: 'an answer with _ in a name',
    why: 'old applications',
    headers: {},
    answer: (stream) => {
      stream.respond({ ':status': 200, x_under: '1', server: 'own', 'set-cookie': ['a=1', 'b=2'] });
      stream.end('ok');
    },
  },
];
