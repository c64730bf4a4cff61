// Meshes whose shape is right: errors, warnings and exemptions that the resolved settings show.
import { expect, test } from 'vitest';
import { exampleMesh } from '../../src/policy/index.js';
import { faultsOf, problemsOf } from './helpers.js';

const TOP = 'trustDomain: shop.example\n';
const STRICT_HINT =
  '\n  hint: set mtls: strict there, or add an allow list that names who may call';
const WALKS = 'plain text walks past the deny rule';

const quiet: [name: string, text: string][] = [
  ['the example', exampleMesh()],
  [
    'a deny rule beside an allow list',
    `${TOP}services: { a: {}, b: { ports: { 1: http }, allow: [{ from: [a] }], deny: [{ from: ` +
      `[a], paths: [/x] }] } }`,
  ],
  [
    'a deny rule under strict',
    `${TOP}mtls: strict\nservices: { a: {}, b: { ports: { 1: http }, deny: [{ from: [a] }] } }`,
  ],
  [
    'a deny rule beside access deny',
    `${TOP}access: deny\nservices: { a: {}, b: { ports: { 1: http }, deny: [{ from: [a] }] } }`,
  ],
  [
    'a deny rule that plain text matches',
    `${TOP}services: { a: {}, b: { ports: { 1: http }, deny: [{ not: { from: [a] } }] } }`,
  ],
  [
    'anyone on a disabled port',
    `${TOP}services: { b: { ports: { 1: { protocol: http, mtls: disable, allow: [{ from: ` +
      `[anyone] }] } } } }`,
  ],
  [
    'inherited identities on a disabled port',
    `${TOP}services: { a: {}, b: { allow: [{ from: [a] }], ports: { 1: { protocol: http, ` +
      `mtls: disable } } } }`,
  ],
  [
    'permissive inside strict',
    `${TOP}mtls: strict\nservices: { a: { mtls: permissive, ports: { 1: tcp } } }`,
  ],
  [
    'an endpoint beside permissive',
    `${TOP}services: { a: { endpoints: [10.0.0.1], ports: { 1: tcp } } }`,
  ],
  ['access deny beside a list', `${TOP}access: deny\nallow: [{ from: ["*"] }]`],
];

test.each(quiet)('says nothing of %s', (_name, text) => {
  expect(faultsOf(text)).toEqual([]);
});

const DRAINS =
  "\n  hint: to add the first such rule, or to take away the last, drains a port's connections";
const SPELLINGS =
  'a path that deny or not names is refused in every spelling but other letter case and double ' +
  'escapes,';
const BY_ALLOW =
  '\n  hint: for an application that reads /A as /a, or %2561 as a, name by allow what it may get';
const PORT = `${TOP}services:\n  a:\n    ports:\n      1:\n`;

const told: [name: string, text: string, ...problems: string[]][] = [
  [
    'disable inside strict',
    `${TOP}mtls: strict\nservices: { a: { mtls: disable } }`,
    'mesh.yaml:3:18 services.a.mtls: exemption: disable inside the strict scope of mesh.yaml:2:1',
  ],
  [
    'disable two scopes inside strict',
    `${TOP}mtls: strict\nnamespaces: { default: { mtls: permissive } }\nservices: { a: { ` +
      `ports: { 1: { protocol: tcp, mtls: disable } } } }`,
    'mesh.yaml:4:47 services.a.ports.1.mtls: exemption: disable inside the strict scope of ' +
      'mesh.yaml:2:1',
  ],
  [
    'a short ttl',
    `${TOP}certificates: { ttl: 30s }`,
    'mesh.yaml:2:17 certificates.ttl: warning: certificates that live 30 s end soon after the ' +
      'server stops\n  hint: use 10m or more outside of tests',
  ],
  [
    'a renewal that may come too late',
    `${TOP}certificates: { jitter: 0.1 }\nservices: { a: { certificates: { renewAt: 0.9 } } }`,
    'mesh.yaml:3:34 services.a.certificates.renewAt: expected renewAt ± jitter between 0.05 and ' +
      '0.95 of the lifetime but got 0.9 ± 0.1\n' +
      '  hint: a smaller jitter, or a renewAt nearer to 0.5',
  ],
  [
    'nothing to call',
    `${TOP}services: { a: { sidecar: false, ports: { 1: tcp } } }`,
    'mesh.yaml:2:18 services.a.sidecar: expected endpoints of a service without a sidecar but ' +
      'got none: nobody could call it\n  hint: add endpoints: with its addresses, or leave out ' +
      'its ports',
  ],
  [
    'one target of two ports',
    `${TOP}services: { a: { ports: { 1: tcp, 2: { protocol: tcp, target: "127.0.0.1:1" } } } }`,
    'mesh.yaml:2:35 services.a.ports.2: warning: ports 1 and 2 have one target: the looser ' +
      'protects it',
  ],
  [
    'the mesh port as target',
    `${TOP}services: { a: { ports: { 1: { protocol: tcp, target: "127.0.0.1:15443" } } } }`,
    'mesh.yaml:2:47 services.a.ports.1.target: expected a target port other than 15443, where ' +
      'sidecars call each other\n  hint: a target is where the application listens',
  ],
  [
    'one named target of two ports',
    `${TOP}services: { a: { sidecar: false, endpoints: [b], ports: { ` +
      `1: { protocol: tcp, target: "app:1" }, 2: { protocol: tcp, target: "APP:1" } } } }`,
    'mesh.yaml:2:98 services.a.ports.2: warning: ports 1 and 2 have one target: the looser ' +
      'protects it',
  ],
  [
    'applications on other hosts than their sidecars',
    `${TOP}services: { a: { ports: { 1: { protocol: tcp, target: "app:1" }, 2: tcp } }, ` +
      `b: { ports: { 3: { protocol: http, target: "10.0.0.7:80" } } } }`,
    'mesh.yaml:2:47 services.a.ports.1.target: note: between sidecar and application bytes are ' +
      'plain text on a network, and whoever reaches the application there goes round its ' +
      'sidecar, at a:1, b:3\n  hint: let a sidecar and its application be alone on that network',
  ],
  [
    'a target that is what callers call',
    `${TOP}services: { p/a: { ports: { 80: { protocol: tcp, target: "A.P:80" } } } }`,
    'mesh.yaml:2:50 services.p/a.ports.80.target: warning: A.P:80 is what callers call: a ' +
      'sidecar that is led to itself never ends\n  hint: give the application a name of its ' +
      'own, such as a-application',
    'mesh.yaml:2:50 services.p/a.ports.80.target: note: between sidecar and application bytes ' +
      'are plain text on a network, and whoever reaches the application there goes round its ' +
      'sidecar, at p/a:80\n  hint: let a sidecar and its application be alone on that network',
  ],
  [
    'an endpoint twice',
    `${TOP}services: { a: { endpoints: [db, DB] } }`,
    'mesh.yaml:2:34 services.a.endpoints[1]: expected each endpoint once but got "DB" again',
  ],
  [
    'an endpoint port for two',
    `${TOP}services: { a: { ports: { 1: tcp, 2: tcp }, endpoints: ["db:3"] } }`,
    'mesh.yaml:2:57 services.a.endpoints[0]: warning: every port of the service leads to port ' +
      '3 of this endpoint',
  ],
  [
    'one service account of two',
    `${TOP}services: { a: { serviceAccount: x }, b: { serviceAccount: x } }`,
    'mesh.yaml:2:39 services.b: warning: a and b are one caller: both are ' +
      'spiffe://shop.example/ns/default/sa/x\n  hint: a rule that names one of them means both; ' +
      'give each a serviceAccount of its own',
  ],
  [
    'a namespace of nobody',
    `${TOP}namespaces: { paymets: {} }\nservices: { payments/a: {} }`,
    'mesh.yaml:2:15 namespaces.paymets: warning: no service is in namespace paymets (did you ' +
      'mean "payments"?)',
  ],
  [
    'access allow beside a list',
    `${TOP}access: allow\nallow: [{ from: ["*"] }]`,
    'mesh.yaml:2:1 access: expected access deny beside an allow list but got allow\n  hint: a ' +
      'list permits what it names and refuses the rest: leave out access, or the list',
  ],
  [
    'inherit at the top',
    `${TOP}allow: [inherit]`,
    'mesh.yaml:2:9 allow[0]: expected a wider scope to inherit from but got none around the mesh',
  ],
  [
    'nothing to inherit',
    `${TOP}services: { a: { allow: [{ from: [a] }, inherit] } }`,
    'mesh.yaml:2:41 services.a.allow[1]: warning: no wider scope has an allow list to inherit',
  ],
  [
    'a method near a common one',
    `${TOP}deny: [{ methods: [DELTE, PURGE, LIST, DELETE], not: { methods: [PSOT] } }]`,
    'mesh.yaml:2:20 deny[0].methods[0]: warning: "DELTE" is an uncommon method (did you mean ' +
      '"DELETE"?)',
    'mesh.yaml:2:66 deny[0].not.methods[0]: warning: "PSOT" is an uncommon method (did you mean ' +
      '"POST"?)',
  ],
  [
    'another trust domain',
    `${TOP}allow: [{ from: ["spiffe://partner/x"] }]`,
    'mesh.yaml:2:18 allow[0].from[0]: warning: no identity of another trust domain can ' +
      'connect: federation is not supported yet',
  ],
  [
    'rules without a sidecar',
    `${TOP}services: { a: { sidecar: false, access: deny } }`,
    'mesh.yaml:2:18 services.a.sidecar: warning: without a sidecar its ' +
      "rules are kept by its callers' " +
      'sidecars only\n  hint: who reaches its address in another way is not asked',
  ],
  [
    'paths of a tcp port',
    `${TOP}services: { a: { ports: { 1: { protocol: tcp, allow: [{ from: [a], paths: [/], ` +
      `not: { methods: [GET] } }] } } } }`,
    'mesh.yaml:2:68 services.a.ports.1.allow[0].paths: expected paths only on http, http2 and ' +
      'grpc ports but got them on tcp',
    'mesh.yaml:2:87 services.a.ports.1.allow[0].not.methods: expected methods only on http, ' +
      'http2 and grpc ports but got them on tcp',
  ],
  [
    'rules about paths, at the narrowest scope that has one',
    `${PORT}        protocol: http\n        deny: [{ paths: [/x] }, { not: { paths: [/y] } }]\n`,
    `mesh.yaml:5:7 services.a.ports.1: note: ${SPELLINGS} at a:1${BY_ALLOW}`,
    'mesh.yaml:5:7 services.a.ports.1: note: rules look at paths, which are therefore normalised ' +
      `at a:1${DRAINS}`,
  ],
  [
    'escaped slashes that are forwarded past rules about paths',
    `${PORT}        protocol: http\n        escapedSlashes: forward\n` +
      '        deny: [{ paths: [/x] }]\n',
    `mesh.yaml:5:7 services.a.ports.1: note: ${SPELLINGS} at a:1${BY_ALLOW}`,
    'mesh.yaml:5:7 services.a.ports.1: note: rules look at paths, which are therefore normalised ' +
      `at a:1${DRAINS}`,
    'mesh.yaml:7:9 services.a.ports.1.escapedSlashes: warning: escaped slashes are forwarded ' +
      'though rules look at paths\n  hint: to deny and not, %2F is a slash as well; to allow, ' +
      'it is a character of its segment',
  ],
  [
    'settings of HTTP at tcp ports',
    `${PORT}        protocol: tcp\n        escapedSlashes: reject\n        headerCase: lower\n`,
    'mesh.yaml:7:9 services.a.ports.1.escapedSlashes: expected escapedSlashes only on http, ' +
      'http2 and grpc ports but got it on tcp',
    'mesh.yaml:8:9 services.a.ports.1.headerCase: expected headerCase only on http, http2 and ' +
      'grpc ports but got it on tcp',
  ],
  [
    'health checks that nobody could do',
    `${PORT}        protocol: grpc\n        health: { path: /healthz }\n` +
      '  b:\n    sidecar: false\n    endpoints: [10.0.0.1]\n    ports:\n      2:\n' +
      '        protocol: http\n        health: { path: /healthz }\n',
    'mesh.yaml:7:9 services.a.ports.1.health: expected health only on http and http2 ports but ' +
      'got it on grpc',
    'mesh.yaml:14:9 services.b.ports.2.health: expected health only of services with a sidecar, ' +
      'which does the checks',
  ],
  [
    'header case where HTTP/2 has none',
    `${PORT}        protocol: grpc\n        headerCase: preserve\n`,
    'mesh.yaml:7:9 services.a.ports.1.headerCase: expected headerCase preserve only on http ' +
      'ports but got it on grpc\n  hint: HTTP/2 has no upper case in names of headers',
  ],
  [
    'paths of a wider scope at tcp ports',
    `${TOP}allow: [{ from: ["*"], paths: [/] }]\ndeny: [{ paths: [/x] }]\nservices: { a: { ` +
      `ports: { 1: tcp, 2: http, 3: tcp } } }`,
    `mesh.yaml:1:1: note: ${SPELLINGS} at a:2${BY_ALLOW}`,
    `mesh.yaml:1:1: note: rules look at paths, which are therefore normalised at a:2${DRAINS}`,
    'mesh.yaml:2:9 allow[0]: warning: a rule with methods or paths has no effect on tcp ' +
      'ports: a:1, a:3',
    'mesh.yaml:3:8 deny[0]: warning: a rule with methods or paths has no effect on tcp ports: ' +
      'a:1, a:3',
  ],
  [
    'a deny rule that plain text walks past',
    `${TOP}deny: [{ from: [a] }]\nservices: { a: {}, b: { ports: { 1: http, 2: { protocol: ` +
      `http, mtls: strict }, 3: http } } }`,
    `mesh.yaml:2:10 deny[0].from: expected an allow rule with from beside a deny rule with ` +
      `from where plain text is accepted but got none at b:1, b:3: ${WALKS}${STRICT_HINT}`,
  ],
  [
    'the same where anyone is allowed',
    `${TOP}services: { a: {}, b: { ports: { 1: { protocol: http, allow: [{ from: [anyone] }], ` +
      `deny: [{ from: [a] }] } } } }`,
    `mesh.yaml:2:93 services.b.ports.1.deny[0].from: expected an allow rule with from beside ` +
      `a deny rule with from where plain text is accepted but got none at b:1: ` +
      `${WALKS}${STRICT_HINT}`,
  ],
  [
    'identities on a disabled port',
    `${TOP}services: { b: { ports: { 1: { protocol: tcp, mtls: disable, allow: [{ from: ` +
      `[anyone, b] }] } } } }`,
    'mesh.yaml:2:72 services.b.ports.1.allow[0].from: expected only anyone in from on a port ' +
      'with mtls disable but got an identity\n  hint: plain text has no identity: use mtls ' +
      'permissive or strict',
  ],
  [
    'an inherited deny rule on a disabled port',
    `${TOP}services: { b: { deny: [{ from: [b] }], ports: { 1: { protocol: tcp, mtls: disable ` +
      `} } } }`,
    'mesh.yaml:2:27 services.b.deny[0].from: warning: a deny rule with from never matches ' +
      'where mtls is disable: b:1',
  ],
  [
    'an exception that plain text escapes',
    `${TOP}services: { b: { ports: { 1: { protocol: tcp, allow: [{ from: [anyone], not: { ` +
      `from: [b] } }] } } } }`,
    'mesh.yaml:2:80 services.b.ports.1.allow[0].not.from: warning: callers in plain text are ' +
      'not excepted: b:1\n  hint: they have no identity, and the rule permits anyone',
  ],
];

test.each(told)('tells of %s', (_name, text, ...problems) => {
  expect(problemsOf(text)).toEqual(problems);
});

test('an allow list decides alone: a wider rule that it hides is not told of', () => {
  const text = `${TOP}allow: [{ from: ["*"], paths: [/] }]
services: { a: { ports: { 1: { protocol: tcp, allow: [{ from: [a] }] } } } }`;
  expect(problemsOf(text)).toEqual([]);
});
