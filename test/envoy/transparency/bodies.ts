import {
  answer,
  asks,
  bareAnswer,
  type Case,
  chunked,
  DATE,
  HOST,
  OK,
  request,
  toCase,
} from './case.js';
import {
  halfClose,
  lengthOfNothing,
  noConnect,
  oneInterim,
  originForm,
  reason,
  refused,
  version,
  versionAndHost,
  without,
} from './differences.js';

// Bodies, trailers, early and interim answers, pipelining, ends of connections, old versions.

const CHUNKED = 'transfer-encoding: chunked';
const post = (headers: readonly string[], rest: string): string =>
  `POST /body HTTP/1.1\r\n${[HOST, ...headers].map((line) => `${line}\r\n`).join('')}\r\n${rest}`;
const every = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));

const bodies = [
  asks('body: every byte', request('POST /body', [], every), 'nothing is text here'),
  asks('body: 1 MB', request('POST /body', [], 'b'.repeat(1_000_000)), 'more than any buffer'),
  asks(
    'body: 3 MB',
    request('PUT /body', [], 'b'.repeat(3_000_000)),
    'more than what a retry keeps',
  ),
  asks('body: content-length 0', post(['content-length: 0'], ''), 'an empty form'),
  asks('body of a GET', request('GET /body', [], '{"query":{}}'), 'Elasticsearch'),
  asks('body of a DELETE', request('DELETE /body', [], '{}'), 'REST'),
  asks(
    'body of a QUERY',
    request('QUERY /body', ['content-type: text/plain'], 'q'),
    'the safe method with a body',
  ),
  asks('chunked body', post([CHUNKED], chunked(['abc', 'defg'])), 'streams'),
  asks('chunked body without a byte', post([CHUNKED], chunked([])), 'an empty stream'),
  asks(
    'chunked 1 MB',
    post([CHUNKED], chunked(Array.from({ length: 20 }, () => 'c'.repeat(50_000)))),
    'streams',
  ),
  asks(
    'trailers of a request',
    post([CHUNKED, 'trailer: x-sum'], chunked(['abc'], ['x-sum: 1'])),
    'aws-chunked signatures',
  ),
  asks(
    'several trailers',
    post([CHUNKED], chunked(['abc'], ['x-a: 1', 'x-b: 2', 'x-a: 3'])),
    'they are headers',
  ),
  asks(
    'trailers with te',
    post([CHUNKED, 'te: trailers', 'connection: te'], chunked(['abc'], ['x-sum: 1'])),
    'RFC 9110 section 6.5.1',
  ),
  asks(
    'multipart',
    request(
      'POST /form',
      ['content-type: multipart/form-data; boundary=x'],
      '--x\r\n\r\na\r\n--x--\r\n',
    ),
    'uploads',
  ),
];

const nothing = [
  asks('POST without a body or a length', request('POST /body'), 'curl -X POST', {
    differs: lengthOfNothing,
  }),
  asks(
    'QUERY without a type',
    request('QUERY /body', [], 'q'),
    'RFC 9110 bis: a QUERY has a type',
    {
      differs: refused('query-type', '400 Bad Request'),
    },
  ),
];

const interim = (status: string, headers: readonly string[] = []): string =>
  bareAnswer(status, headers);
const EXPECT = 'expect: 100-continue';

const early = [
  toCase({
    name: 'Expect: 100-continue, answered 100 by the application',
    why: 'the application alone knows whether it wants the body',
    send: [post([EXPECT, 'content-length: 4'], ''), { until: ' 100 ' }, 'body'],
    methods: ['POST'],
    answers: [[{ on: 'head' }, { send: interim('100 Continue') }, { on: 'request' }, { send: OK }]],
  }),
  toCase({
    name: 'Expect: 100-continue, answered 417',
    why: 'the refusal is the application’s own',
    send: [post([EXPECT, 'content-length: 4'], '')],
    methods: ['POST'],
    answers: [[{ on: 'head' }, { send: answer('417 Expectation Failed') }, 'end']],
  }),
  toCase({
    name: 'Expect: 100-continue, answered 401 without a 100',
    why: 'curl doesn’t upload what isn’t wanted',
    send: [post([EXPECT, 'content-length: 4'], '')],
    methods: ['POST'],
    answers: [
      [{ on: 'head' }, { send: answer('401 Unauthorized', ['www-authenticate: Basic']) }, 'end'],
    ],
  }),
  toCase({
    name: 'Expect: 100-continue, answered 200 at once',
    why: 'an application may need no body',
    send: [post([EXPECT, 'content-length: 4'], 'body')],
    methods: ['POST'],
    answers: [[{ on: 'request' }, { send: OK }]],
  }),
  toCase({
    name: '102 before the answer',
    differs: reason('Unknown'),
    why: 'WebDAV, long work',
    send: [request('GET /early')],
    answers: [[{ on: 'request' }, { send: interim('102 Processing') }, { send: OK }]],
  }),
  toCase({
    name: '103 with links before the answer',
    differs: reason('Unknown'),
    why: 'early hints',
    send: [request('GET /early')],
    answers: [
      [
        { on: 'request' },
        { send: interim('103 Early Hints', ['link: </a.css>; rel=preload']) },
        { send: OK },
      ],
    ],
  }),
  toCase({
    name: 'two 103, then the answer',
    differs: oneInterim,
    why: 'early hints may come twice',
    send: [request('GET /early')],
    answers: [
      [
        { on: 'request' },
        { send: interim('103 Early Hints', ['link: </a>']) },
        { send: interim('103 Early Hints', ['link: </b>']) },
        { send: OK },
      ],
    ],
  }),
  toCase({
    name: 'an answer before the body is whole',
    why: '413 while the upload runs',
    send: [post(['content-length: 400000'], 'x'.repeat(1_000))],
    methods: ['POST'],
    answers: [
      [{ on: 'head' }, { send: answer('413 Payload Too Large', ['connection: close']) }, 'end'],
    ],
  }),
  toCase({
    name: 'answer and body at once, each way',
    why: 'streams in both directions at the same time',
    send: [post([CHUNKED], ''), { until: 'first' }, chunked(['rest'])],
    methods: ['POST'],
    answers: [
      [
        { on: 'head' },
        { send: `HTTP/1.1 200 OK\r\n${DATE}\r\n${CHUNKED}\r\n\r\n5\r\nfirst\r\n` },
        { on: 'request' },
        { send: chunked(['last']) },
      ],
    ],
  }),
];

const three = ['/p1', '/p2', '/p3'].map((path) => request(`GET ${path}`));
const ends = [
  toCase({
    name: 'three requests in one packet',
    why: 'HTTP/1.1 pipelining',
    send: [three.join('')],
    methods: ['GET', 'GET', 'GET'],
  }),
  toCase({
    name: 'pipelined after a body',
    why: 'HTTP/1.1 pipelining',
    send: [request('POST /p1', [], 'abc') + request('GET /p2')],
    methods: ['POST', 'GET'],
  }),
  toCase({
    name: 'a second request on the same connection',
    why: 'keep-alive',
    send: [three[0] ?? '', { until: 'ok' }, three[1] ?? ''],
    methods: ['GET', 'GET'],
  }),
  toCase({
    name: 'a request in many packets',
    why: 'slow writers',
    send: [...request('GET /slow', ['x-a: 1'])],
    methods: ['GET'],
  }),
  asks('Connection: close', request('GET /close', ['connection: close']), 'curl and health checks'),
  asks(
    'Keep-Alive',
    request('GET /keep', ['connection: keep-alive', 'keep-alive: timeout=5']),
    'old clients',
  ),
  asks(
    'Connection names a header',
    request('GET /conn', ['connection: x-hop', 'x-hop: 1']),
    'that header is for one hop',
    {
      differs: without('hop-by-hop', 'x-hop: 1'),
    },
  ),
  asks('a half close after the request', '', 'nc, and scripts with printf', {
    differs: halfClose,
    send: [request('GET /half'), 'half-close'],
    methods: ['GET'],
  }),
  asks('a half close after a body', '', 'nc, and scripts with printf', {
    differs: halfClose,
    send: [request('POST /half', [], 'abc'), 'half-close'],
    methods: ['POST'],
  }),
  asks('HTTP/1.0', `GET /old HTTP/1.0\r\n${HOST}\r\n\r\n`, 'ab, old load balancers’ checks', {
    differs: version,
  }),
  asks('HTTP/1.0 without Host', 'GET /old HTTP/1.0\r\n\r\n', 'HAProxy’s and LVS’s checks', {
    differs: versionAndHost,
  }),
  asks(
    'HTTP/1.0 with keep-alive',
    `GET /old HTTP/1.0\r\n${HOST}\r\nconnection: keep-alive\r\n\r\n`,
    'ab -k',
    { differs: version },
  ),
  asks(
    'absolute-form',
    `GET http://app.example/abs?x=1 HTTP/1.1\r\n${HOST}\r\n\r\n`,
    'clients that take us for a proxy',
    { differs: originForm },
  ),
  asks('CONNECT', request('CONNECT app.example:443', ['host: app.example:443']), 'proxies', {
    answers: [[{ on: 'request' }, { send: answer('405 Method Not Allowed') }]],
    differs: noConnect,
  }),
  asks('OPTIONS *', request('OPTIONS *'), 'Apache’s own wake-ups', {
    differs: refused('options-star', '404 Not Found'),
  }),
  asks(
    'two Host headers',
    `GET /hosts HTTP/1.1\r\n${HOST}\r\nhost: evil.example\r\n\r\n`,
    'RFC 9112 section 3.2: 400',
    { differs: refused('two-hosts', '400 Bad Request') },
  ),
];

export const bodyCases: readonly Case[] = [...bodies, ...nothing, ...early, ...ends];
