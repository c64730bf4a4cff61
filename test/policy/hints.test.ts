// What people write at first, by habit or from other meshes: the message says what to write.
import { expect, test } from 'vitest';
import { problemsOf } from './helpers.js';

/** Lines 1 to 6; what rows append begins at line 7 inside web's port 8080, at eight spaces. */
const PORT = `trustDomain: shop.example
services:
  web:
    ports:
      8080:
        protocol: http
`;
const TOP = 'trustDomain: shop.example\n';
const AT = 'mesh.yaml:7:9 services.web.ports.8080';
const TARGET = 'expected an IP address or DNS name, with a port, such as 127.0.0.1:9080';
const CALLER = 'expected a service, "namespace/*", "*", "spiffe://…" or anyone';
const NAME = 'expected a service name (web, or payments/ledger with a namespace)';
const LABEL_RULE = 'a name is 1 to 63 lower case letters, digits and dashes, no dash at an end';

const hinted: [name: string, text: string, ...problems: string[]][] = [
  [
    'a ttl without unit',
    `${TOP}certificates: { ttl: 24 }`,
    'mesh.yaml:2:17 certificates.ttl: expected a duration from 10s to 90d but got 24\n' +
      '  hint: durations have a unit, as in 24h',
  ],
  [
    'a mode in a map',
    `${TOP}mtls: { mode: STRICT }`,
    'mesh.yaml:2:1 mtls: expected strict, permissive or disable but got a map\n' +
      '  hint: write mtls: strict',
  ],
  [
    'lists for maps',
    `${TOP}services: { web: { ports: [8080] } }\nnamespaces: [a]`,
    'mesh.yaml:2:20 services.web.ports: expected a map of ports but got a list\n' +
      '  hint: write a map from port to protocol, as in ports: { 8080: http }',
    'mesh.yaml:3:1 namespaces: expected a map of namespaces but got a list\n' +
      '  hint: write a map from name to settings, as in namespaces: { payments: {} }',
  ],
  [
    'a list of services',
    `${TOP}services: [web]`,
    'mesh.yaml:2:1 services: expected a map of services but got a list\n' +
      '  hint: write a map from name to settings, as in services: { web: {} }',
  ],
  [
    'a merge key',
    `${TOP}services: { a: &a { sidecar: true }, b: { <<: *a } }`,
    'mesh.yaml:2:43 services.b: merge keys (<<) are not read\n' +
      '  hint: repeat its keys here, or set them once in a wider scope',
  ],
  [
    'capture at a port',
    `${PORT}        capture: {}\n`,
    `${AT}.capture: unknown key "capture"\n  hint: capture belongs to a mesh, namespace or service`,
  ],
  [
    'a dot before the name',
    `${TOP}services: { payments.ledger: {}, x_y: {} }\nallow: [{ from: [payments.ledger] }]`,
    `mesh.yaml:2:13 services.payments.ledger: ${NAME} but got "payments.ledger"\n  hint: a ` +
      'namespace stands first, before a slash, as in payments/ledger',
    `mesh.yaml:2:34 services.x_y: ${NAME} but got "x_y"\n  hint: ${LABEL_RULE}`,
    `mesh.yaml:3:18 allow[0].from[0]: ${CALLER} but got "payments.ledger"\n  hint: a ` +
      'namespace stands first, before a slash, as in payments/ledger',
  ],
  [
    'names in the wrong namespace',
    `${TOP}services: { payments/ledger: {}, web: {} }\nallow: [{ from: [ledger, payments/web] }]`,
    'mesh.yaml:3:18 allow[0].from[0]: expected a declared service but got "ledger" (did you ' +
      'mean "payments/ledger"?)',
    'mesh.yaml:3:26 allow[0].from[1]: expected a declared service but got "payments/web" (did ' +
      'you mean "web"?)',
  ],
  [
    'a misspelt from, once',
    `${TOP}allow: [{ form: ["*"] }]`,
    'mesh.yaml:2:11 allow[0].form: unknown key "form" (did you mean "from"?)',
  ],
  [
    'a port alone as target',
    `${PORT}        target: 9001\n`,
    `${AT}.target: expected an IP address or DNS name, with a port but got 9001\n  hint: write ` +
      '127.0.0.1:9001',
  ],
  [
    'one caller for a list of them',
    `${PORT}        allow: [{ from: web2 }]\n`,
    'mesh.yaml:7:19 services.web.ports.8080.allow[0].from: expected a list of callers but got ' +
      '"web2"\n  hint: write [web2]',
  ],
  [
    'one pattern for a list of them',
    `${PORT}        deny: [{ paths: /x* }]\n`,
    'mesh.yaml:7:18 services.web.ports.8080.deny[0].paths: expected a list of paths but got ' +
      '"/x*"\n  hint: write ["/x*"]',
  ],
  [
    'an empty allow list, for nobody',
    `${PORT}        allow: []\n`,
    `${AT}.allow: expected at least one entry but got an empty list\n` +
      '  hint: write access: deny to let nobody in',
  ],
  [
    'an empty deny list',
    `${PORT}        deny: []\n`,
    `${AT}.deny: expected at least one entry but got an empty list\n` +
      '  hint: leave out deny: an empty list would refuse nothing',
  ],
  [
    'the name of a database for its protocol',
    `${TOP}services: { db: { ports: { 5432: postgres, 6379: { protocol: Redis } } } }`,
    'mesh.yaml:2:28 services.db.ports.5432: expected http, http2, grpc, tcp or a map but got ' +
      '"postgres"\n  hint: write tcp',
    'mesh.yaml:2:52 services.db.ports.6379.protocol: expected http, http2, grpc or tcp but got ' +
      '"Redis"\n  hint: write tcp',
  ],
  [
    'a protocol whose server speaks first',
    `${TOP}services: { db: { ports: { 3306: mysql, 25: server-first } } }`,
    'mesh.yaml:2:28 services.db.ports.3306: expected http, http2, grpc, tcp or a map but got ' +
      '"mysql"\n  hint: its server speaks first, which tcp carries from sidecar to sidecar: ' +
      'write tcp',
    'mesh.yaml:2:41 services.db.ports.25: protocol "server-first" is not supported yet\n' +
      '  hint: write tcp, which fits protocols whose client speaks first',
  ],
  [
    'an empty host as target',
    `${PORT}        target: ":9001"\n`,
    `${AT}.target: ${TARGET} but got ":9001"\n  hint: write 127.0.0.1:9001`,
  ],
];

test.each(hinted)('helps with %s', (_name, text, ...problems) => {
  expect(problemsOf(text)).toEqual(problems);
});
