// How traffic reaches a sidecar: what is resolved, and what contradicts itself or surprises.
import { expect, test } from 'vitest';
import { meshOf, problemsOf, serviceOf } from './helpers.js';

const TOP = 'trustDomain: shop.example\n';
const BOTH = 'inbound: transparent, outbound: transparent';

test('narrowest wins, key by key', () => {
  const mesh = meshOf(`${TOP}capture: { inbound: transparent, exclude: [2222, 22, 22] }
namespaces: { payments: { capture: { outbound: transparent, undeclared: refuse } } }
services:
  web: { ports: { 80: http } }
  payments/ledger: { capture: { inbound: bind, egress: registry } }
  payments/audit: { capture: { outbound: none } }
`);
  const of = (name: string) => serviceOf(mesh, name).capture;
  const exclude = [22, 2222];
  expect(of('web')).toEqual({
    ...{ inbound: 'transparent', outbound: 'loopback' },
    ...{ exclude, undeclared: 'pass', egress: 'any' },
  });
  expect(of('payments/ledger')).toEqual({
    ...{ inbound: 'bind', outbound: 'transparent' },
    ...{ exclude, undeclared: 'refuse', egress: 'registry' },
  });
  expect(of('payments/audit')).toMatchObject({ inbound: 'transparent', outbound: 'none' });
});

const web = (capture: string, more = ''): string =>
  `${TOP}services:\n  web:\n    capture: { ${capture} }\n    ${more}\n`;

const cases: readonly [title: string, text: string, problems: readonly string[]][] = [
  ['both directions, with every key', web(`${BOTH}, undeclared: refuse, egress: registry`), []],
  [
    'a word that is none',
    web('inbound: transparant'),
    [
      'mesh.yaml:4:16 services.web.capture.inbound: expected bind or transparent but got ' +
        '"transparant" (did you mean "transparent"?)',
    ],
  ],
  [
    'ports that are none',
    web(`${BOTH}, exclude: [0, 70000, ssh]`),
    [0, 1, 2].map(
      (i) =>
        `mesh.yaml:4:${[71, 74, 81][i]} services.web.capture.exclude[${i}]: expected a port from ` +
        `1 to 65535 but got ${[0, 70_000, '"ssh"'][i]}`,
    ),
  ],
  [
    'undeclared and egress without their direction',
    web('undeclared: refuse, egress: registry, exclude: [22]'),
    [
      [16, 'undeclared', 'inbound transparent'],
      [36, 'egress', 'outbound transparent'],
      [54, 'exclude', 'inbound or outbound transparent'],
    ].map(
      ([column, key, words]) =>
        `mesh.yaml:4:${column} services.web.capture.${key}: expected ${key} only with ${words}\n` +
        `  hint: add it, or leave out ${key}`,
    ),
  ],
  [
    'the same for the mesh, where it may be meant for services to come',
    `${TOP}capture: { egress: registry }\nservices: { web: {} }`,
    [
      'mesh.yaml:2:12 capture.egress: warning: egress has no effect: no service here has ' +
        'outbound transparent',
    ],
  ],
  [
    'the same for the mesh, where one service has it',
    `${TOP}capture: { egress: registry }\n` +
      'services: { web: {}, api: { capture: { outbound: transparent } } }',
    [],
  ],
  [
    'a service without a sidecar',
    web('outbound: none', 'sidecar: false'),
    [
      'mesh.yaml:4:5 services.web.capture: expected capture only of services with a sidecar, ' +
        'which does it',
    ],
  ],
  [
    'a declared port that is excluded',
    web('inbound: transparent, exclude: [22, 80]', 'ports: { 80: http }'),
    [
      "mesh.yaml:5:14 services.web.ports.80: expected no declared port in capture's exclude but " +
        'got 80: its callers would reach the application around its sidecar\n' +
        '  hint: leave it out of exclude, or of ports',
    ],
  ],
  [
    "the sidecar's own ports, declared and as targets",
    web(BOTH, 'ports: { 15001: http, 80: { protocol: http, target: "127.0.0.1:15006" } }'),
    [
      'mesh.yaml:5:14 services.web.ports.15001: expected a port other than 15001, to which the ' +
        'kernel hands connections',
      'mesh.yaml:5:49 services.web.ports.80.target: expected a target port other than 15006, ' +
        "the sidecar's own\n  hint: a target is where the application listens",
    ],
  ],
  ['these ports without capture', `${TOP}services: { web: { ports: { 15001: http } } }`, []],
  [
    'undeclared ports under STRICT',
    web('inbound: transparent', 'mtls: strict\n    ports: { 80: http }'),
    [
      'mesh.yaml:4:16 services.web.capture.inbound: warning: undeclared ports pass in plain ' +
        'text, around STRICT, of web\n  hint: undeclared: refuse closes them',
    ],
  ],
  [
    'a port of a callee that is excluded',
    `${TOP}capture: { outbound: transparent, exclude: [22, 80] }
services: { web: { ports: { 80: http } }, api: { capture: { outbound: none } } }`,
    [
      'mesh.yaml:3:29 services.web.ports.80: warning: calls of this port leave around the ' +
        "sidecar, since capture's exclude has it, of web",
    ],
  ],
  [
    'a callee at a name, and two at one address',
    `${TOP}mtls: disable
services:
  web: { capture: { outbound: transparent } }
  a: { sidecar: false, endpoints: [a.internal, 10.0.0.7], ports: { 80: http } }
  b: { sidecar: false, endpoints: ["10.0.0.7:80"], ports: { 90: http } }`,
    [
      'mesh.yaml:5:36 services.a.endpoints[0]: warning: with outbound transparent calls of ' +
        '"a.internal" go around this service\n  hint: what is captured is known by address: name ' +
        'the addresses instead',
      'mesh.yaml:6:36 services.b.endpoints[0]: warning: with outbound transparent a call of port ' +
        '80 there is one of a\n  hint: give one address and port to one service',
    ],
  ],
];

test.each(cases)('%s', (_title, text, problems) => {
  expect(problemsOf(text)).toEqual(problems);
});
