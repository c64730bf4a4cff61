// Scope resolution: whole resolved things compared with what MODEL.md makes of the text.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { mayCall, meshSchema, parseMesh } from '../../src/policy/index.js';
import { meshOf, portOf, serviceOf } from './helpers.js';

const TEXT = `trustDomain: shop.example
tls: { minVersion: TLSv1_2, cipherSuites: [ECDHE-RSA-AES256-GCM-SHA384] }
certificates: { ttl: 12h }
allow:
  - from: [prometheus]
deny:
  - paths: [/debug/*]
namespaces:
  payments:
    mtls: strict
    certificates: { renewAt: 0.3, jitter: 0.1 }
    allow: [inherit, { from: [payments/*] }]
services:
  web: { ports: { 80: http } }
  prometheus: {}
  payments/ledger:
    serviceAccount: books
    certificates: { key: rsa-2048 }
    ports:
      8080:
        protocol: grpc
        target: 127.0.0.1:9080
        mtls: permissive
        tls: { minVersion: TLSv1_3 }
        allow:
          - from: [web]
            methods: [POST]
            not: { paths: [/admin] }
          - inherit
      5432: tcp
`;

const SUITE = 'ECDHE-RSA-AES256-GCM-SHA384';
const at = (line: number, column: number) => ({ file: 'mesh.yaml', line, column });
const CURVES = ['X25519MLKEM768', 'X25519', 'P-256'];
const fromPrometheus = {
  from: [
    {
      kind: 'service',
      service: 'prometheus',
      spiffeId: 'spiffe://shop.example/ns/default/sa/prometheus',
    },
  ],
  source: at(5, 5),
};
const fromPayments = { from: [{ kind: 'namespace', namespace: 'payments' }], source: at(12, 22) };
const denyDebug = {
  paths: [{ kind: 'prefix', text: '/debug/', orExact: '/debug' }],
  source: at(7, 5),
};

test('narrowest wins, key by key, and each thing remembers where it was written', () => {
  expect(serviceOf(meshOf(TEXT), 'payments/ledger')).toEqual({
    name: 'payments/ledger',
    namespace: 'payments',
    shortName: 'ledger',
    serviceAccount: 'books',
    spiffeId: 'spiffe://shop.example/ns/payments/sa/books',
    dnsNames: ['ledger.payments', 'ledger.payments.mesh'],
    sidecar: true,
    endpoints: [],
    certificates: { ttlMs: 43_200_000, renewAt: 0.3, jitter: 0.1, key: 'rsa-2048' },
    capture: {
      ...{ outbound: 'loopback', inbound: 'bind' },
      ...{ exclude: [22], undeclared: 'pass', egress: 'any' },
    },
    source: at(16, 3),
    ports: [
      {
        number: 5432,
        protocol: 'tcp',
        target: { address: '127.0.0.1', port: 5432 },
        mode: 'strict',
        modeSource: at(10, 5),
        tls: {
          minVersion: 'TLSv1_2',
          maxVersion: 'TLSv1_3',
          cipherSuites: [SUITE],
          curves: CURVES,
        },
        access: {
          deny: [],
          allow: [fromPayments, fromPrometheus],
          otherwise: 'deny',
          source: at(12, 5),
        },
        escapedSlashes: 'forward',
        headerCase: 'lower',
        health: undefined,
        source: at(30, 7),
      },
      {
        number: 8080,
        protocol: 'grpc',
        target: { address: '127.0.0.1', port: 9080 },
        mode: 'permissive',
        modeSource: at(23, 9),
        tls: { minVersion: 'TLSv1_3', maxVersion: 'TLSv1_3', cipherSuites: [], curves: CURVES },
        access: {
          deny: [denyDebug],
          allow: [
            {
              from: [
                {
                  kind: 'service',
                  service: 'web',
                  spiffeId: 'spiffe://shop.example/ns/default/sa/web',
                },
              ],
              methods: ['POST'],
              not: { paths: [{ kind: 'exact', text: '/admin' }] },
              source: at(26, 13),
            },
            fromPayments,
            fromPrometheus,
          ],
          otherwise: 'deny',
          source: at(25, 9),
        },
        escapedSlashes: 'reject',
        headerCase: 'lower',
        health: undefined,
        source: at(20, 7),
      },
    ],
  });
});

test('defaults, where nothing is written', () => {
  const mesh = meshOf('trustDomain: shop.example\nservices: { web: { ports: { 80: http } } }');
  expect([...mesh.services.keys()]).toEqual(['web']);
  expect(serviceOf(mesh, 'web').dnsNames).toEqual(['web.default', 'web.default.mesh', 'web']);
  expect(portOf(mesh, 'web:80')).toEqual({
    number: 80,
    protocol: 'http',
    target: { address: '127.0.0.1', port: 80 },
    mode: 'permissive',
    modeSource: at(2, 29),
    tls: { minVersion: 'TLSv1_3', maxVersion: 'TLSv1_3', cipherSuites: [], curves: CURVES },
    access: { deny: [], allow: [], otherwise: 'allow', source: at(2, 29) },
    escapedSlashes: 'forward',
    headerCase: 'lower',
    health: undefined,
    source: at(2, 29),
  });
});

const decisions: [name: string, scopes: string, otherwise: string, allow: number][] = [
  ['nothing written', '', 'allow', 0],
  ['access deny at the mesh', 'access: deny\n', 'deny', 0],
  [
    'a narrower access hides a wider list',
    'allow: [{ from: ["*"] }]\nnamespaces: { default: { access: allow } }\n',
    'allow',
    0,
  ],
  [
    'a wider list hides nothing narrower',
    'access: deny\nnamespaces: { default: { allow: [{ from: ["*"] }] } }\n',
    'deny',
    1,
  ],
  [
    'a narrower access deny hides a wider list',
    'allow: [{ from: [anyone] }]\nnamespaces: { default: { access: deny } }\n',
    'deny',
    0,
  ],
];

test.each(decisions)(
  '%s: the first scope with allow or access decides',
  (_name, scopes, otherwise, allow) => {
    const mesh = meshOf(`trustDomain: a\n${scopes}services: { web: { ports: { 80: http } } }`);
    const { access } = portOf(mesh, 'web:80');
    expect([access.otherwise, access.allow.length]).toEqual([otherwise, allow]);
  },
);

const calls: [name: string, port: string, may: boolean][] = [
  ['without rules', '80: http', true],
  ['not in the list', '80: { protocol: http, allow: [{ from: [b] }] }', false],
  ['in the list', '80: { protocol: http, allow: [{ from: [a], paths: [/x] }] }', true],
  ['excepted', '80: { protocol: http, allow: [{ from: ["*"], not: { from: [a] } }] }', false],
  [
    'in part excepted',
    '80: { protocol: http, allow: [{ from: ["*"], not: { paths: [/x] } }] }',
    true,
  ],
  ['denied', '80: { protocol: http, mtls: strict, deny: [{ from: [a] }] }', false],
  [
    'denied in part',
    '80: { protocol: http, mtls: strict, deny: [{ from: [a], paths: [/x] }] }',
    true,
  ],
  [
    'denied but for a part',
    '80: { protocol: http, mtls: strict, deny: [{ from: [a], not: { methods: [GET] } }] }',
    true,
  ],
  [
    'without identity, anyone',
    '80: { protocol: http, mtls: disable, allow: [{ from: [anyone] }] }',
    true,
  ],
  ['without identity, refused', '80: { protocol: http, mtls: disable, access: deny }', false],
];

test.each(calls)('mayCall: %s', (_name, port, may) => {
  const mesh = meshOf(`trustDomain: x\nservices: { a: {}, b: { ports: { ${port} } } }`);
  const callee = serviceOf(mesh, 'b');
  const call = { caller: serviceOf(mesh, 'a'), callee, port: portOf(mesh, 'b:80') };
  expect(mayCall(mesh, call)).toBe(may);
});

test('mayCall: an inherited identity rule permits nobody on a disabled port', () => {
  const mesh = meshOf(
    'trustDomain: x\nservices: { a: {}, b: { allow: [{ from: [a] }], mtls: disable, ports: { ' +
      '80: http } } }',
  );
  const [caller, callee] = [serviceOf(mesh, 'a'), serviceOf(mesh, 'b')];
  expect(mayCall(mesh, { caller, callee, port: portOf(mesh, 'b:80') })).toBe(false);
});

test('the version tells of content only, not of names of files or their order', () => {
  const one = { path: 'a.yaml', text: 'trustDomain: x\n' };
  const two = { path: 'b.yaml', text: 'services: { a: {} }\n' };
  const version = parseMesh([one, two]).mesh?.version;
  expect(version).toMatch(/^[0-9a-f]{12}$/);
  const renamed = [{ ...two, path: '0.yaml' }, one];
  expect(parseMesh(renamed).mesh?.version).toBe(version);
  expect(parseMesh([one, { ...two, text: `${two.text}#` }]).mesh?.version).not.toBe(version);
});

test('the schema yields a JSON Schema of what users write', () => {
  const schema = z.toJSONSchema(meshSchema, { io: 'input' });
  expect(schema).toMatchObject({
    type: 'object',
    required: ['trustDomain'],
    additionalProperties: false,
    properties: { mtls: { enum: ['strict', 'permissive', 'disable'] } },
  });
});
