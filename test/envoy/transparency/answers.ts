import {
  answer,
  answers,
  bareAnswer,
  type Case,
  chunked,
  DATE,
  OK,
  request,
  toCase,
} from './case.js';
import { acceptedUpgrade, chunks, dated, reason, version, without } from './differences.js';

// Answers that a client must get as the application gave them, and upgrades.

const CHUNKED = 'transfer-encoding: chunked';

/** What Envoy calls some. */
const OTHER_REASONS: Readonly<Record<string, string>> = {
  418: 'Unknown',
  451: 'Unknown',
  599: 'Last Unassigned Server Error Code',
  999: 'Unknown',
};

const statuses = (
  [
    ['201 Created', 'REST'],
    ['202 Accepted', 'REST'],
    ['206 Partial Content', 'downloads resume'],
    ['207 Multi-Status', 'WebDAV'],
    ['226 IM Used', 'RFC 3229'],
    ['300 Multiple Choices', 'RFC 9110'],
    ['301 Moved Permanently', 'redirects'],
    ['302 Found', 'redirects'],
    ['303 See Other', 'redirects'],
    ['307 Temporary Redirect', 'redirects'],
    ['308 Permanent Redirect', 'redirects'],
    ['400 Bad Request', 'the application’s own'],
    ['401 Unauthorized', 'the application’s own'],
    ['402 Payment Required', 'x402'],
    ['404 Not Found', 'the application’s own'],
    ['405 Method Not Allowed', 'the application’s own'],
    ['409 Conflict', 'the application’s own'],
    ['418 I’m a teapot', 'jokes'],
    ['421 Misdirected Request', 'HTTP/2 coalescing'],
    ['422 Unprocessable Entity', 'validation'],
    ['423 Locked', 'WebDAV'],
    ['425 Too Early', 'TLS early data'],
    ['426 Upgrade Required', 'protocols'],
    ['429 Too Many Requests', 'limits: not tried again'],
    ['431 Request Header Fields Too Large', 'the application’s own'],
    ['451 Unavailable For Legal Reasons', 'RFC 7725'],
    ['500 Internal Server Error', 'not tried again: the application has seen it'],
    ['502 Bad Gateway', 'not tried again'],
    ['503 Service Unavailable', 'not tried again'],
    ['504 Gateway Timeout', 'not tried again'],
    ['599 Own', 'codes of one’s own'],
    ['999 Own', 'LinkedIn'],
  ] as const
).map(([status, why]) => {
  const latin = status.replaceAll('’', "'");
  const other = OTHER_REASONS[status.slice(0, 3)];
  const differs = other === undefined ? {} : { differs: reason(other) };
  const sent = answer(latin, ['location: /x//y', 'retry-after: 0']);
  return answers(`status ${latin}`, sent, why, differs);
});

const headers = (
  [
    ['Server', ['server: nginx/1.27'], 'the application’s own name'],
    ['several Set-Cookie', ['set-cookie: a=1; Path=/', 'set-cookie: b=2'], 'never joined'],
    ['a name with _', ['x_under_score: 1'], 'old applications'],
    ['a repeated name', ['x-twice: a', 'x-twice: b'], 'order matters'],
    ['an empty value', ['x-empty:'], 'an empty value is a value'],
    ['Location with //', ['location: https://app.example:9201//x/%2F'], 'redirects'],
    ['Content-Encoding', ['content-encoding: gzip'], 'nothing is unpacked'],
    ['Strict-Transport-Security', ['strict-transport-security: max-age=1'], 'browsers'],
    ['Vary and ETag', ['vary: accept', 'etag: W/"x"'], 'caches'],
    ['X-Request-Id', ['x-request-id: abc'], 'ids of one’s own'],
    ['X-Powered-By', ['x-powered-by: PHP/8'], 'the application’s own'],
    ['Alt-Svc', ['alt-svc: h3=":443"'], 'the application’s own'],
    ['Via', ['via: 1.1 cache'], 'caches'],
    ['latin1', ['content-disposition: attachment; filename="caf\u00e9"'], 'old file names'],
    [
      '200 headers',
      Array.from({ length: 200 }, (_, i) => `x-many-${i}: ${i}`),
      'Envoy’s own limit is 100: 502',
    ],
    [
      '70 kB',
      Array.from({ length: 7 }, (_, i) => `x-big-${i}: ${'v'.repeat(10_000)}`),
      'plain it passed, in the mesh it failed',
    ],
    ['one of 60 kB', [`x-big: ${'v'.repeat(60_000)}`], 'cookies and policies'],
    [
      '200 kB',
      Array.from({ length: 10 }, (_, i) => `x-big-${i}: ${'v'.repeat(20_000)}`),
      'Go’s clients take 1 MB',
    ],
  ] as const
).map(([name, list, why]) => answers(`answer: ${name}`, answer('200 OK', [...list]), why));

const head = (name: string, sent: string, why: string): Case =>
  toCase({
    name,
    why,
    send: [request('HEAD /head')],
    answers: [[{ on: 'request' }, { send: sent }]],
  });

const shapes = [
  answers(
    'answer: chunked',
    bareAnswer('200 OK', [DATE, CHUNKED], chunked(['ab', 'cd'])),
    'streams',
  ),
  answers('answer: 2 MB', answer('200 OK', [], 'b'.repeat(2_000_000)), 'more than any buffer'),
  answers(
    'answer: trailers',
    bareAnswer('200 OK', [DATE, CHUNKED, 'trailer: x-sum'], chunked(['ab'], ['x-sum: 1'])),
    'checksums, grpc-web',
  ),
  answers(
    'answer: until the end of the connection',
    bareAnswer('200 OK', [DATE], 'until the end'),
    'HTTP/1.0 applications',
    { differs: chunks },
  ),
  answers('answer: 204', bareAnswer('204 No Content', [DATE, 'x-a: 1']), 'no body, no length', {
    answers: [[{ on: 'request' }, { send: bareAnswer('204 No Content', [DATE, 'x-a: 1']) }]],
  }),
  answers('answer: 304', bareAnswer('304 Not Modified', [DATE, 'etag: "x"']), 'caches', {
    answers: [[{ on: 'request' }, { send: bareAnswer('304 Not Modified', [DATE, 'etag: "x"']) }]],
  }),
  answers(
    'answer: 304 with a length',
    bareAnswer('304 Not Modified', [DATE, 'content-length: 7']),
    'the length of what isn’t sent',
  ),
  answers('answer: length 0', bareAnswer('200 OK', [DATE, 'content-length: 0']), 'empty'),
  answers('answer: Connection: close', answer('200 OK', ['connection: close']), 'old servers'),
  answers(
    'answer: HTTP/1.0',
    `HTTP/1.0 200 OK\r\n${DATE}\r\ncontent-length: 2\r\n\r\nok`,
    'old servers',
    { differs: version },
  ),
  answers(
    'answer: without Date',
    bareAnswer('200 OK', ['content-length: 2'], 'ok'),
    'small servers have no clock',
    { differs: dated },
  ),
  answers('answer: a reason of one’s own', answer('200 All Good'), 'old clients show it', {
    differs: reason('OK'),
  }),
  answers('answer: no reason', answer('200 '), 'RFC 9112 allows none', { differs: reason('OK') }),
  answers(
    'answer: header case, on a port that keeps it',
    answer('200 OK', ['X-MiXeD: 1', 'ETag: "x"']),
    'clients that compare by case',
    { port: 'case' },
  ),
  answers(
    'answer: a reason of one’s own, on a port that keeps case',
    answer('200 All Good'),
    'old clients show it',
    { port: 'case' },
  ),
  head(
    'HEAD with a length',
    bareAnswer('200 OK', [DATE, 'content-length: 1234']),
    'download tools',
  ),
  head('HEAD without a length', bareAnswer('200 OK', [DATE]), 'health checks'),
];

interface Upgrade {
  readonly token: string;
  readonly why: string;
  readonly headers?: readonly string[];
}

const UPGRADES: readonly Upgrade[] = [
  {
    token: 'websocket',
    why: 'WebSockets',
    headers: [
      'sec-websocket-key: eA==',
      'sec-websocket-version: 13',
      'sec-websocket-protocol: a, b',
    ],
  },
  { token: 'WebSocket', why: 'tokens are compared without case' },
  { token: 'tcp', why: 'docker attach and exec' },
  { token: 'SPDY/3.1', why: 'kubectl exec' },
  { token: 'TLS/1.0', why: 'IPP printing, RFC 2817' },
  { token: 'raw', why: 'hijacked connections' },
];

const upgrades = UPGRADES.map(({ token, why, headers: more = [] }) =>
  toCase({
    name: `upgrade to ${token}`,
    why,
    send: [
      request('GET /up', ['connection: Upgrade', `upgrade: ${token}`, ...more]),
      { until: ' 101 ' },
      'ping\0\xff',
    ],
    answers: [
      [
        { on: 'request' },
        {
          send: bareAnswer('101 Switching Protocols', [
            'connection: Upgrade',
            `upgrade: ${token}`,
            'sec-websocket-accept: x',
          ]),
        },
        { until: 'ping\0\xff' },
        { send: 'pong\0\xfe' },
      ],
    ],
    tunnelled: 'pong\0\xfe',
    differs: dated,
  }),
);

const UPGRADE = ['connection: Upgrade', 'upgrade: websocket'];
const refused = (name: string, sent: string, why: string): Case =>
  toCase({
    name,
    why,
    send: [request('GET /up', UPGRADE)],
    answers: [[{ on: 'request' }, { send: sent }]],
  });

const refusals = [
  refused(
    'upgrade refused: 401 with a challenge',
    answer('401 Unauthorized', ['www-authenticate: Bearer'], 'who are you'),
    'clients show why',
  ),
  refused(
    'upgrade refused: 403 with a body',
    answer('403 Forbidden', [], 'not you'),
    'clients show why',
  ),
  refused(
    'upgrade refused: 404',
    answer('404 Not Found', [], 'no socket here'),
    'clients show why',
  ),
  refused(
    'upgrade refused: 426',
    answer('426 Upgrade Required', ['sec-websocket-version: 13'], 'version'),
    'versions are negotiated',
  ),
  {
    ...refused('upgrade refused: 200', OK, 'an application that knows no upgrades'),
    differs: acceptedUpgrade,
  },
  refused(
    'upgrade refused: 302',
    answer('302 Found', ['location: /login'], ''),
    'sessions that ended',
  ),
  refused(
    'upgrade refused: chunked',
    bareAnswer('400 Bad Request', [DATE, CHUNKED], chunked(['bad'])),
    'frameworks answer chunked',
  ),
  toCase({
    name: 'upgrade to an unknown protocol',
    why: 'an application answers as though it had not been asked',
    differs: without('upgrades', 'upgrade: unknown/1'),
    send: [request('GET /up', ['connection: Upgrade', 'upgrade: unknown/1'])],
  }),
  toCase({
    name: 'upgrade to h2c',
    why: 'Java’s HttpClient asks on each first request',
    differs: without('upgrades', 'upgrade: h2c', 'http2-settings: AAMAAABkAAQAAP__'),
    send: [
      request('GET /up', [
        'connection: Upgrade, HTTP2-Settings',
        'upgrade: h2c',
        'http2-settings: AAMAAABkAAQAAP__',
      ]),
    ],
  }),
];

export const answerCases: readonly Case[] = [
  ...statuses,
  ...headers,
  ...shapes,
  ...upgrades,
  ...refusals,
];
