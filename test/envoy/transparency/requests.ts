import { asks, type Case, HOST, request } from './case.js';

// Requests that an application must get as they were sent.

const methods = (
  [
    ['GET', 'everybody'],
    ['HEAD', 'health checks; its answer has no body'],
    ['POST', 'forms'],
    ['PUT', 'uploads'],
    ['PATCH', 'RFC 5789'],
    ['DELETE', 'REST'],
    ['OPTIONS', 'CORS preflight'],
    ['TRACE', 'RFC 9110; an application refuses it itself'],
    ['LIST', 'Vault'],
    ['QUERY', 'the safe method with a body'],
    ['PROPFIND', 'WebDAV'],
    ['PROPPATCH', 'WebDAV'],
    ['MKCOL', 'WebDAV'],
    ['COPY', 'WebDAV'],
    ['MOVE', 'WebDAV'],
    ['LOCK', 'WebDAV'],
    ['UNLOCK', 'WebDAV'],
    ['REPORT', 'CalDAV'],
    ['MKCALENDAR', 'CalDAV'],
    ['SEARCH', 'WebDAV search'],
    ['PURGE', 'Varnish and other caches'],
    ['BAN', 'Varnish'],
    ['LINK', 'RFC 2068'],
    ['NOTIFY', 'UPnP'],
    ['M-SEARCH', 'UPnP'],
    ['SUBSCRIBE', 'UPnP'],
    ['X-CUSTOM', 'methods of one’s own'],
    ['XYZ', 'tmp'],
    ['get', 'methods are case-sensitive: this is another one than GET'],
  ] as const
).map(([method, why]) => {
  const hasLength = !['GET', 'HEAD', 'DELETE', 'TRACE'].includes(method);
  const headers = hasLength ? [HOST, 'content-length: 0', 'content-type: text/plain'] : [];
  return asks(`method ${method}`, request(`${method} /method`, headers), why);
});

const targets = (
  [
    ['/', 'the root'],
    ['/fetch/https://example.com/x', 'proxies and archives take a URL in the path'],
    ['//double//slashes', 'an S3 key may have them'],
    ['/a/./b', 'an application may not normalise'],
    ['/a/../b', 'an application may not normalise'],
    ['/a/..', 'a dot segment at the end'],
    ['/api/queues/%2F/x', 'RabbitMQ’s default virtual host'],
    ['/@scope%2fpkg', 'npm'],
    ['/a%5Cb', 'an escaped backslash'],
    ['/a%2e%2e/b', 'escaped dots'],
    ['/%41%42', 'needless escapes; signatures cover the path as sent'],
    ['/a%20b', 'an escaped space'],
    ['/a%00b', 'an escaped NUL is the application’s to refuse'],
    ['/a%zzb', 'a broken escape is the application’s to refuse'],
    ['/a;v=1/b;w=2', 'matrix parameters'],
    ['/~user', 'tilde'],
    ['/a+b,c$d&e=f!(g)*', 'sub-delims'],
    ['/a:b@c', 'colon and at'],
    ['/CaSe', 'case'],
    ['/a?', 'an empty query'],
    ['/a?x=1&x=2', 'a repeated parameter'],
    ['/a?x=/../..//y', 'slashes and dots in a query'],
    ['/a?url=https://e.example/?b=c', 'a URL in a query'],
    ['/a?x=%2F%5c', 'escapes in a query'],
    ['/a?b?c', 'a question mark in a query'],
    ['/a?x=[1]&y={2}|3', 'characters that browsers leave unescaped'],
    ['/a/', 'a slash at the end'],
    ['/a\\b', 'a backslash'],
    ["/a'b", 'a quote'],
    [`/${'long'.repeat(2_000)}`, 'a target of 8 kB, which nginx takes'],
    [`/q?${'x=1&'.repeat(4_000)}`, 'a query of 16 kB'],
  ] as const
).map(([target, why]) => {
  const shown = target.length > 60 ? `${target.slice(0, 20)}… (${target.length})` : target;
  return asks(`target ${shown}`, request(`GET ${target}`), why);
});

const hosts = (
  [
    ['app.example:9201', 'redirects and signatures cover Host with its port'],
    ['app.example:80', 'the default port, said'],
    ['APP.Example', 'case'],
    ['app.example.', 'a trailing dot'],
    ['10.1.2.3', 'an address'],
    ['10.1.2.3:8080', 'an address with its port'],
    ['[::1]:8080', 'an IPv6 address'],
    ['app_1.example', 'compose names have underscores'],
    ['xn--bcher-kva.example', 'an international name'],
  ] as const
).map(([host, why]) => asks(`Host ${host}`, request('GET /host', [`host: ${host}`]), why));

const many = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `x-many-${index}: ${index}`);

const headers = (
  [
    ['a name with _', ['tenant_id: 7'], 'gRPC metadata and nginx’s neighbours'],
    ['names that differ in - and _', ['x-a-b: 1', 'x-a_b: 2'], 'they are two headers'],
    ['a name of other token characters', ["x!#$%&'*+.^`|~1: 1"], 'RFC 9110 section 5.6.2'],
    ['an empty value', ['x-empty:'], 'an empty value is a value'],
    ['a repeated name', ['x-twice: a', 'x-twice: b'], 'order matters'],
    ['a list', ['x-list: a, b,c'], 'spaces in lists are not touched'],
    ['several cookies', ['cookie: a=1; b=2'], 'sessions'],
    ['Authorization', ['authorization: Bearer a.b.c'], 'tokens'],
    ['Accept-Encoding', ['accept-encoding: gzip, br'], 'nothing is compressed on the way'],
    ['Range', ['range: bytes=0-99'], 'downloads resume'],
    ['If-None-Match', ['if-none-match: W/"x"'], 'caches'],
    [
      'traceparent',
      ['traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
      'OpenTelemetry',
    ],
    ['b3', ['b3: 0'], 'Zipkin'],
    ['X-Request-Id', ['x-request-id: abc'], 'ids of one’s own'],
    ['X-Forwarded-For', ['x-forwarded-for: 203.0.113.9, 10.0.0.1'], 'a load balancer before us'],
    ['X-Forwarded-Proto', ['x-forwarded-proto: https'], 'a load balancer before us'],
    ['X-Forwarded-Host', ['x-forwarded-host: shop.example'], 'a load balancer before us'],
    ['X-Real-Ip', ['x-real-ip: 203.0.113.9'], 'nginx before us'],
    ['Forwarded', ['forwarded: for=203.0.113.9;proto=https'], 'RFC 7239'],
    ['Via', ['via: 1.1 proxy'], 'a proxy before us'],
    ['User-Agent', ['user-agent: curl/8.5.0'], 'everybody'],
    ['Origin', ['origin: https://shop.example'], 'CORS'],
    ['Upgrade-Insecure-Requests', ['upgrade-insecure-requests: 1'], 'browsers'],
    ['Max-Forwards', ['max-forwards: 3'], 'TRACE and OPTIONS'],
    ['latin1 in a value', ['x-latin: caf\u00e9'], 'old file names'],
    ['UTF-8 in a value', [`x-utf8: ${Buffer.from('日本').toString('latin1')}`], 'new file names'],
    ['quotes and backslashes', ['x-q: "a\\"b" \\'], 'parameters'],
    ['a tab within', ['x-tab: a\tb'], 'RFC 9110 section 5.5'],
    ['200 headers', many(200), 'Envoy’s own limit is 100; Apache’s too'],
    ['2,000 headers', many(1_990), 'Node takes 2,000'],
    ['a value of 8 kB', [`x-big: ${'v'.repeat(8_192)}`], 'nginx and Apache take it'],
    ['a value of 60 kB', [`x-big: ${'v'.repeat(60_000)}`], 'Kerberos tickets; uvicorn takes 64 kB'],
    [
      '200 kB in ten headers',
      Array.from({ length: 10 }, (_, i) => `x-big-${i}: ${'v'.repeat(20_000)}`),
      'Go takes 1 MB',
    ],
    ['a name of 200 characters', [`x-${'n'.repeat(198)}: 1`], 'no limit of ours'],
    ['x-envoy-like names of others', ['x-envoyish: 1'], 'only x-envoy- is Envoy’s'],
    ['Priority', ['priority: u=1'], 'RFC 9218'],
    ['Date', ['date: Sat, 28 Nov 2026 06:00:00 GMT'], 'signatures cover it'],
    ['Content-MD5 and digests', ['content-md5: x', 'digest: sha-256=x'], 'signatures cover them'],
    ['grpc-timeout', ['grpc-timeout: 1S'], 'it is the application’s own over HTTP/1'],
    ['SOAPAction', ['soapaction: "urn:x"'], 'SOAP'],
  ] as const
).map(([name, list, why]) => asks(`header: ${name}`, request('GET /headers', [...list]), why));

const spelling = [
  asks(
    'header case, on a port that keeps it',
    request('GET /case', ['X-MiXeD-Case: 1', 'SOAPAction: x']),
    'SOAP servers compare by case',
    { port: 'case' },
  ),
  asks(
    'Host case, on a port that keeps it',
    `GET /case HTTP/1.1\r\nHOST: app.example\r\n\r\n`,
    'old servers',
    { port: 'case' },
  ),
  asks(
    'no space after the colon',
    `GET /space HTTP/1.1\r\n${HOST}\r\nx-a:1\r\n\r\n`,
    'RFC 9112 section 5',
  ),
  asks(
    'spaces around a value',
    `GET /space HTTP/1.1\r\n${HOST}\r\nx-a: \t 1 \t\r\n\r\n`,
    'they are not of the value',
  ),
  asks('an empty line before the request', `\r\n${request('GET /crlf')}`, 'RFC 9112 section 2.2', {
    methods: ['GET'],
  }),
];

export const requestCases: readonly Case[] = [
  ...methods,
  ...targets,
  ...hosts,
  ...headers,
  ...spelling,
];
