// A minimal mesh and one mutation a row: what is accepted. What is not: shape.test.ts.
import { expect, test } from 'vitest';
import { problemsOf } from './helpers.js';

/** What rows append begins inside web's port 8080, at eight spaces. */
const PORT = `trustDomain: shop.example
services:
  web:
    ports:
      8080:
        protocol: http
`;

const TOP = 'trustDomain: shop.example\n';

const accepted: [name: string, text: string][] = [
  ['the least', TOP],
  ['a service without anything', `${TOP}services: { web: {} }`],
  ['the short form of a port', `${TOP}services: { web: { ports: { 8080: http } } }`],
  ['a name with its default namespace', `${TOP}services: { default/web: {} }`],
  ['modes in any case', `${TOP}mtls: STRICT\nservices: { web: { mtls: Permissive } }`],
  ['every protocol', `${TOP}services: { web: { ports: { 1: http, 2: http2, 3: grpc, 4: tcp } } }`],
  ['no cipher suites', `${TOP}tls: { cipherSuites: [] }`],
  [
    'TLS 1.2 with its suites',
    `${TOP}tls: { minVersion: TLSv1_2, cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256] }`,
  ],
  ['every curve', `${TOP}tls: { curves: [X25519MLKEM768, X25519, P-256, P-384] }`],
  ['certificates', `${TOP}certificates: { ttl: 12h, renewAt: 0.4, jitter: 0.1, key: rsa-2048 }`],
  ['a target of IPv6', `${PORT}        target: "[::1]:9080"\n`],
  ['methods of other protocols', `${TOP}deny: [{ methods: [PURGE, MKCOL, M-SEARCH] }]`],
  [
    'the defaults of capture',
    `${TOP}capture: { outbound: loopback, inbound: bind }\nservices: { web: { capture: {} } }`,
  ],
  [
    'every key of capture',
    `${TOP}services: { web: { capture: { outbound: transparent, inbound: transparent, ` +
      'exclude: [22, 2222], undeclared: refuse, egress: registry } } }',
  ],
  ['escaped slashes rejected', `${PORT}        escapedSlashes: reject\n`],
  ['escaped slashes forwarded', `${PORT}        escapedSlashes: forward\n`],
  ['header case', `${PORT}        headerCase: preserve\n`],
  ['lower case', `${PORT}        headerCase: lower\n`],
  ['a health check', `${PORT}        health: { path: "/healthz?deep=1" }\n`],
  [
    'endpoints',
    `${TOP}services: { db: { sidecar: false, ports: { 1: tcp }, endpoints: ` +
      '[10.0.3.7, "fd00::7", db.internal, db_1] } }',
  ],
  [
    'endpoint ports',
    `${TOP}services: { db: { ports: { 1: tcp }, endpoints: ["[fd00::7]:33", "d:33"] } }`,
  ],
  [
    'every caller',
    `${PORT}        allow:\n          - from: [web, default/web, default/*, "*", anyone, ` +
      'spiffe://shop.example/ns/default/sa/web, "spiffe://shop.example/ns/*"]\n',
  ],
  [
    "SPIFFE IDs of service accounts, declared namespaces and others' trust domains",
    `${TOP}services: { pay/a: { serviceAccount: b } }\ndeny: [{ not: ` +
      '{ from: [spiffe://shop.example/ns/pay/sa/b, "spiffe://shop.example/ns/default/sa/*", ' +
      '"spiffe://shop.example/ns/pay/sa/b*"] } }]',
  ],
  ['a byte order mark', `\uFEFF${TOP}`],
  ['windows line ends', 'trustDomain: a\r\nmtls: strict\r\n'],
  [
    'an alias',
    `${TOP}services: { web: { ports: { 1: &p { protocol: tcp }, 2: { protocol: tcp } } } }`,
  ],
];

test.each(accepted)('accepts %s', (_name, text) => {
  expect(problemsOf(text)).toEqual([]);
});
