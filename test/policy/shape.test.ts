// A minimal mesh and one mutation a row: the exact words and place of what is not accepted.
// What is: shape-accepted.test.ts.
import { expect, test } from 'vitest';
import { problemsOf } from './helpers.js';

/** Lines 1 to 5; what rows append begins at line 6 inside web's port 8080, at eight spaces. */
const PORT = `trustDomain: shop.example
services:
  web:
    ports:
      8080:
        protocol: http
`;

const TOP = 'trustDomain: shop.example\n';

const YAML_HINT = '\n  hint: "*" begins an alias in YAML: quote it, as in from: ["*"]';
const EMPTY_HINT = '\n  hint: see `countersign init` for a start';
const MISTAKE = 'expected valid YAML but got a mistake';
const TARGET = 'expected an IP address or DNS name, with a port, such as 127.0.0.1:9080';
const ENDPOINT = 'expected an IP address or DNS name, with or without a port';
const CALLER = 'expected a service, "namespace/*", "*", "spiffe://…" or anyone';
const SPIFFE =
  'expected a SPIFFE ID with a path, "*" only at its end and after the trust domain\'s slash';
const NO_STAR = 'expected a method such as GET, without *';
const NO_STAR_HINT = '\n  hint: a method is named whole; leave `methods` out to mean all';
const ID = "expected a declared service's SPIFFE ID";
const ID_START = 'expected the beginning of SPIFFE IDs of declared services';
const LABEL_RULE = 'a name is 1 to 63 lower case letters, digits and dashes, no dash at an end';
const AT = 'mesh.yaml:7:9 services.web.ports.8080';
const RULE = `${PORT}        allow:\n          - from: [web]\n            `;
const IN_RULE = 'services.web.ports.8080.allow[0]';

const rejected: [name: string, text: string, ...problems: string[]][] = [
  ['an empty file', '', `mesh.yaml:1:1: expected a map but got an empty file${EMPTY_HINT}`],
  ['comments only', '# x\n', `mesh.yaml:1:1: expected a map but got an empty file${EMPTY_HINT}`],
  ['a list', '- a', 'mesh.yaml:1:1: expected a map but got a list'],
  ['a word', 'mesh', 'mesh.yaml:1:1: expected a map but got "mesh"'],
  [
    'two documents',
    `${TOP}---\na: 1\n`,
    'mesh.yaml:2:1: expected one YAML document but got several\n' +
      '  hint: put each document into a file of its own, in one folder',
  ],
  [
    'tabs',
    'services:\n\tweb: {}\n',
    `mesh.yaml:2:1: ${MISTAKE}: tabs are not allowed as indentation\n  hint: indent with spaces`,
  ],
  ['an older YAML', '%YAML 1.1\n---\na: on', 'mesh.yaml:1:1: expected YAML 1.2 but got 1.1'],
  ['a tag', 'mtls: !x strict', `mesh.yaml:1:7: ${MISTAKE}: unresolved tag: !x`],
  [
    'a bare star',
    'from: [*]',
    `mesh.yaml:1:8: expected a value but got an alias without a name${YAML_HINT}`,
  ],
  [
    'a star before a word',
    `${PORT}        allow: [ { from: [*all] } ]\n`,
    `mesh.yaml:7:27 ${IN_RULE}.from[0]: expected a known anchor but got "*all"${YAML_HINT}`,
  ],
  [
    'an alias of itself',
    'trustDomain: &a [*a]',
    'mesh.yaml:1:18 trustDomain[0]: expected an end but got an alias of what it stands in: "*a"',
  ],
  [
    'deep nesting',
    '['.repeat(100_000),
    'mesh.yaml:1:65: expected a mesh but got one nested too deeply',
  ],
  [
    'a key twice',
    `${TOP}mtls: strict\nmtls: disable\n`,
    'mesh.yaml:3:1 mtls: expected each key once but got it at 2:1 too',
  ],
  [
    'a list as key',
    `${TOP}[a]: b\n`,
    'mesh.yaml:2:1: expected a plain word as a key but got something else',
  ],
  [
    'no trust domain',
    'mtls: strict',
    'mesh.yaml:1:1 trustDomain: expected a trust domain but got nothing\n' +
      '  hint: add trustDomain: and a name of your own, such as shop.example',
  ],
  [
    'a trust domain in upper case',
    'trustDomain: Shop',
    'mesh.yaml:1:1 trustDomain: expected a trust domain of at most 255 lower case letters, ' +
      'digits, ' +
      'dots, dashes and underscores but got "Shop"\n  hint: write shop',
  ],
  [
    'a misspelt mode',
    `${PORT}        mtls: stirct\n`,
    `${AT}.mtls: expected strict, permissive or disable but got "stirct" (did you mean "strict"?)`,
  ],
  [
    'no mode',
    `${PORT}        mtls:\n`,
    `${AT}.mtls: expected strict, permissive or disable but got nothing`,
  ],
  [
    'a strange access',
    `${TOP}access: maybe`,
    'mesh.yaml:2:1 access: expected allow or deny but got "maybe"',
  ],
  [
    'a misspelt key',
    `${TOP}services: { web: { prots: {} } }`,
    'mesh.yaml:2:20 services.web.prots: unknown key "prots" (did you mean "ports"?)',
  ],
  [
    'a key at the wrong place',
    `${TOP}target: 127.0.0.1:1`,
    'mesh.yaml:2:1 target: unknown key "target"\n  hint: target belongs to a port',
  ],
  [
    'a null service',
    `${TOP}services: { web: }`,
    'mesh.yaml:2:13 services.web: expected a map of settings, or {} for none but got nothing',
  ],
  [
    'a misspelt protocol',
    `${TOP}services: { web: { ports: { 80: htp } } }`,
    'mesh.yaml:2:29 services.web.ports.80: expected http, http2, grpc, tcp or a map but got ' +
      '"htp" (did you mean "http"?)',
  ],
  [
    'no protocol',
    `${TOP}services: { web: { ports: { 80: {} } } }`,
    'mesh.yaml:2:29 services.web.ports.80.protocol: expected http, http2, grpc or tcp but got ' +
      'nothing',
  ],
  [
    'a port beyond',
    `${TOP}services: { web: { ports: { 65536: tcp } } }`,
    'mesh.yaml:2:29 services.web.ports.65536: expected a port from 1 to 65535 but got "65536"',
  ],
  [
    'a port in hex',
    `${TOP}services: { web: { ports: { 0x50: tcp } } }`,
    'mesh.yaml:2:29 services.web.ports.0x50: expected a port from 1 to 65535 but got "0x50"',
  ],
  [
    'the mesh port',
    `${TOP}services: { web: { ports: { 15443: tcp } } }`,
    'mesh.yaml:2:29 services.web.ports.15443: expected a port other than 15443, where ' +
      'sidecars call each other',
  ],
  [
    'a name as target',
    `${PORT}        target: localhost:80\n`,
    `${AT}.target: ${TARGET} but got "localhost:80"\n  hint: write 127.0.0.1 or [::1] for ` +
      `localhost`,
  ],
  [
    'another name of loopback as target',
    `${PORT}        target: app.localhost:80\n`,
    `${AT}.target: ${TARGET} but got "app.localhost:80"\n  hint: write 127.0.0.1 or [::1] for ` +
      `app.localhost`,
  ],
  [
    'a URL as target',
    `${PORT}        target: http://app:80\n`,
    `${AT}.target: ${TARGET} but got "http://app:80"\n  hint: leave out the scheme`,
  ],
  [
    'a mistyped address as target',
    `${PORT}        target: 10.0.0:80\n`,
    `${AT}.target: ${TARGET} but got "10.0.0:80"`,
  ],
  [
    'a name in brackets as target',
    `${PORT}        target: "[app]:80"\n`,
    `${AT}.target: ${TARGET} but got "[app]:80"`,
  ],
  [
    'a name without port as target',
    `${PORT}        target: ledger-application\n`,
    `${AT}.target: ${TARGET} but got "ledger-application"`,
  ],
  [
    'a target without port',
    `${PORT}        target: 127.0.0.1\n`,
    `${AT}.target: ${TARGET} but got "127.0.0.1"`,
  ],
  [
    'the unspecified target',
    `${PORT}        target: 0.0.0.0:80\n`,
    `${AT}.target: ${TARGET} but got "0.0.0.0:80"\n  hint: nothing can be called at an ` +
      'unspecified address: write 127.0.0.1 or [::1]',
  ],
  [
    'endpoints that are none',
    `${TOP}services: { db: { endpoints: [10.0.3, "a:0", "http://a", 5] } }`,
    `mesh.yaml:2:31 services.db.endpoints[0]: ${ENDPOINT} but got "10.0.3"`,
    `mesh.yaml:2:39 services.db.endpoints[1]: ${ENDPOINT} but got "a:0"`,
    `mesh.yaml:2:46 services.db.endpoints[2]: ${ENDPOINT} but got "http://a"\n  hint: leave ` +
      `out the scheme`,
    'mesh.yaml:2:58 services.db.endpoints[3]: expected an address but got 5\n  hint: quote it: "5"',
  ],
  [
    'a service in upper case',
    `${TOP}services: { Web: {} }`,
    'mesh.yaml:2:13 services.Web: expected a service name (web, or payments/ledger with a ' +
      'namespace) but got "Web"\n  hint: names are lower case',
  ],
  [
    'a reserved service',
    `${TOP}services: { anyone: {} }`,
    'mesh.yaml:2:13 services.anyone: expected a name other than the reserved word anyone but ' +
      'got "anyone"',
  ],
  [
    'a reserved namespace',
    `${TOP}namespaces: { mesh: {} }\nservices: { mesh/a: {} }`,
    'mesh.yaml:2:15 namespaces.mesh: expected a name other than the reserved word mesh',
    'mesh.yaml:3:13 services.mesh/a: expected a name other than the reserved word mesh but ' +
      'got "mesh/a"',
  ],
  [
    'one service in two spellings',
    `${TOP}services: { web: {}, default/web: {} }`,
    'mesh.yaml:2:22 services.default/web: expected each service once but got services.web too',
  ],
  [
    'a bad service account',
    `${TOP}services: { web: { serviceAccount: a_b } }`,
    'mesh.yaml:2:20 services.web.serviceAccount: expected a service account of at most 63 ' +
      `lower case letters, digits and dashes but got "a_b"\n  hint: ${LABEL_RULE}`,
  ],
  [
    'a short ttl',
    `${TOP}certificates: { ttl: 9s }`,
    'mesh.yaml:2:17 certificates.ttl: expected a duration from 10s to 90d but got "9s"',
  ],
  [
    'a late renewal',
    `${TOP}certificates: { renewAt: 1 }`,
    'mesh.yaml:2:17 certificates.renewAt: expected a number from 0.1 to 0.9 but got 1',
  ],
  [
    'a jitter that is none',
    `${TOP}certificates: { jitter: 0.3 }`,
    'mesh.yaml:2:17 certificates.jitter: expected a number from 0 to 0.25 but got 0.3',
  ],
  [
    'certificates of a port',
    `${PORT}        certificates: {}\n`,
    `${AT}.certificates: unknown key "certificates"\n  hint: certificates belongs to a mesh, ` +
      `namespace or service`,
  ],
  [
    'a weak suite',
    `${TOP}tls: { minVersion: TLSv1_2, cipherSuites: [AES128-SHA] }`,
    expect.stringMatching(
      /^mesh\.yaml:2:44 tls\.cipherSuites\[0\]: expected ECDHE-ECDSA.* but got "AES128-SHA"$/,
    ),
  ],
  [
    'a curve twice, for which Envoy rejects the list',
    `${TOP}tls: { curves: [P-256, X25519, P-256] }`,
    'mesh.yaml:2:32 tls.curves[2]: expected each curve once but got P-256 again\n' +
      '  hint: Envoy rejects every listener and cluster with such a list',
  ],
  [
    'an unknown curve',
    `${TOP}tls: { curves: [P-265] }`,
    'mesh.yaml:2:17 tls.curves[0]: expected X25519MLKEM768, X25519, P-256 or P-384 but got ' +
      '"P-265" (did you mean "P-256"?)',
  ],
  [
    'suites with TLS 1.3',
    `${TOP}tls: { cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256] }`,
    'mesh.yaml:2:8 tls.cipherSuites: expected cipherSuites only with minVersion TLSv1_2 but ' +
      'got minVersion TLSv1_3\n  hint: TLS 1.3 has suites of its own, all of them strong',
  ],
  [
    'a floor above the ceiling',
    `${TOP}tls: { maxVersion: TLSv1_2 }`,
    'mesh.yaml:2:8 tls.maxVersion: expected minVersion up to maxVersion but got TLSv1_3 and ' +
      'TLSv1_2\n  hint: set both keys here',
  ],
  [
    'an empty list',
    `${TOP}deny: []`,
    'mesh.yaml:2:1 deny: expected at least one entry but got an empty list\n' +
      '  hint: leave out deny: an empty list would refuse nothing',
  ],
  [
    'an empty deny rule',
    `${TOP}deny: [{}]`,
    'mesh.yaml:2:8 deny[0]: expected at least one of from, methods and paths but got an empty map',
  ],
  [
    'an allow rule without from',
    `${TOP}allow: [{ methods: [GET] }]`,
    'mesh.yaml:2:9 allow[0].from: expected a list of callers but got nothing',
  ],
  [
    'inherit as deny',
    `${TOP}deny: [inherit]`,
    'mesh.yaml:2:8 deny[0]: expected a rule but got "inherit"',
  ],
  [
    'a caller as rule',
    `${TOP}allow: [inherits]`,
    'mesh.yaml:2:9 allow[0]: expected a rule or inherit but got "inherits" (did you mean ' +
      '"inherit"?)',
  ],
  [
    'an undeclared caller',
    `${PORT}        deny: [{ from: [wbe] }]\n`,
    'mesh.yaml:7:25 services.web.ports.8080.deny[0].from[0]: expected a declared service but ' +
      'got "wbe" (did you mean "web"?)',
  ],
  [
    'an undeclared namespace',
    `${TOP}allow: [{ from: [paymets/*] }]\nservices: { payments/a: {} }`,
    'mesh.yaml:2:18 allow[0].from[0]: expected a declared namespace but got "paymets/*" (did ' +
      'you mean "payments/*"?)',
  ],
  [
    'an undeclared exception',
    `${RULE}not: { from: [webb] }\n`,
    `mesh.yaml:9:27 ${IN_RULE}.not.from[0]: expected a declared service but got "webb" (did ` +
      `you mean "web"?)`,
  ],
  [
    'SPIFFE IDs of this trust domain that nothing declares',
    `${TOP}services: { web: {}, a: { serviceAccount: b } }\ndeny:\n` +
      '  - from: [spiffe://shop.example/ns/default/sa/wbe, "spiffe://shop.example/ns/nons/*"]\n' +
      '  - not: { from: [spiffe://shop.example/web, "spiffe://shop.example/ns/default/sa/a*"] }',
    `mesh.yaml:4:12 deny[0].from[0]: ${ID} but got "spiffe://shop.example/ns/default/sa/wbe" ` +
      '(did you mean "spiffe://shop.example/ns/default/sa/web"?)',
    `mesh.yaml:4:53 deny[0].from[1]: ${ID_START} but got "spiffe://shop.example/ns/nons/*"`,
    `mesh.yaml:5:19 deny[1].not.from[0]: ${ID} but got "spiffe://shop.example/web"`,
    `mesh.yaml:5:46 deny[1].not.from[1]: ${ID_START} but got ` +
      '"spiffe://shop.example/ns/default/sa/a*"',
  ],
  [
    'a strange caller',
    `${TOP}allow: [{ from: [we*] }]`,
    `mesh.yaml:2:18 allow[0].from[0]: ${CALLER} but got "we*"`,
  ],
  [
    'a number as caller',
    `${TOP}allow: [{ from: [123] }]`,
    'mesh.yaml:2:18 allow[0].from[0]: expected a caller but got 123\n  hint: quote it: "123"',
  ],
  [
    'a trust domain as caller',
    `${TOP}allow: [{ from: ["spiffe://a"] }]`,
    `mesh.yaml:2:18 allow[0].from[0]: ${SPIFFE} but got "spiffe://a"`,
  ],
  [
    'a star in a trust domain',
    `${TOP}allow: [{ from: ["spiffe://a*"] }]`,
    `mesh.yaml:2:18 allow[0].from[0]: ${SPIFFE} but got "spiffe://a*"`,
  ],
  [
    'CONNECT, which no application gets',
    `${RULE}methods: [CONNECT]\n`,
    `mesh.yaml:9:23 ${IN_RULE}.methods[0]: expected a method that reaches applications but got ` +
      '"CONNECT"\n  hint: a WebSocket is a GET, over HTTP/2 too',
  ],
  [
    'a health check of something else than a path',
    `${PORT}        health: { path: "healthz", port: 1 }\n`,
    'mesh.yaml:7:19 services.web.ports.8080.health.path: expected a path that begins with / and ' +
      'has neither spaces nor # but got "healthz"',
    'mesh.yaml:7:36 services.web.ports.8080.health.port: unknown key "port"',
  ],
  [
    'a method of two words',
    `${RULE}methods: [G T]\n`,
    `mesh.yaml:9:23 ${IN_RULE}.methods[0]: expected a method such as GET but got "G T"`,
  ],
  [
    'patterns as methods, which as deny would refuse nothing',
    `${TOP}deny: [{ methods: ["*", "DELETE*"] }]`,
    `mesh.yaml:2:20 deny[0].methods[0]: ${NO_STAR} but got "*"${NO_STAR_HINT}`,
    `mesh.yaml:2:25 deny[0].methods[1]: ${NO_STAR} but got "DELETE*"${NO_STAR_HINT}`,
  ],
  [
    'methods in lower case',
    `${TOP}allow: [{ from: ["*"], methods: [get] }]\ndeny: [{ not: { methods: [Put] } }]`,
    'mesh.yaml:2:34 allow[0].methods[0]: expected a method in upper case, such as GET but got ' +
      '"get"\n  hint: write GET',
    'mesh.yaml:3:27 deny[0].not.methods[0]: expected a method in upper case, such as GET but ' +
      'got "Put"\n  hint: write PUT',
  ],
  [
    'no text as method',
    `${TOP}deny: [{ methods: [""] }]`,
    'mesh.yaml:2:20 deny[0].methods[0]: expected a method such as GET but got ""',
  ],
  [
    'a path with a query',
    `${RULE}paths: [/a?b]\n`,
    `mesh.yaml:9:21 ${IN_RULE}.paths[0]: expected a path without query and fragment but got "/a?b"`,
  ],
  [
    'a path without slash',
    `${RULE}paths: [v1]\n`,
    `mesh.yaml:9:21 ${IN_RULE}.paths[0]: expected a path that begins with / or * but got "v1"`,
  ],
];

test.each(rejected)('refuses %s', (_name, text, ...problems) => {
  expect(problemsOf(text)).toEqual(problems);
});

test('reports everything at once, in order, also what is wrong in sound services', () => {
  const text = `trustDomain: shop.example
services:
  a:
    mtls: stirct
  b:
    mtls: strict
    endpoints: [10.0.0.1]
    ports: { 80: http }
  c:
    ports: { 80: htp }
`;
  expect(problemsOf(text)).toEqual([
    'mesh.yaml:4:5 services.a.mtls: expected strict, permissive or disable but got "stirct" ' +
      '(did you mean "strict"?)',
    'mesh.yaml:7:5 services.b.endpoints: expected mtls permissive or disable for endpoints ' +
      'without a ' +
      'sidecar but got strict (mesh.yaml:6:5) on port 80: callers send them nothing\n' +
      '  hint: give the endpoints a sidecar, or set mtls: disable for this service',
    'mesh.yaml:10:14 services.c.ports.80: expected http, http2, grpc, tcp or a map but got ' +
      '"htp" (did you mean "http"?)',
  ]);
});

test('refuses a mesh that is too large, and one that aliases make so', () => {
  const large = `${TOP}# ${'x'.repeat(2 * 1024 * 1024)}`;
  expect(problemsOf(large)).toEqual([
    'mesh.yaml:1:1: expected a mesh of at most 2097152 characters but got more',
  ]);
  const levels = Array.from({ length: 12 }, (_, i) => {
    const below = i === 0 ? 'x' : `*l${i - 1}`;
    return `k${i}: &l${i} [${Array(10).fill(below).join(', ')}]`;
  });
  const bomb = problemsOf(levels.join('\n'));
  expect(bomb).toHaveLength(1);
  expect(bomb[0]).toContain('expected at most 250000 values but got more');
});
