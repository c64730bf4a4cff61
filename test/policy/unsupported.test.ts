// What MODEL.md describes and this version does not do: refused by name, one problem each.
import { expect, test } from 'vitest';
import { problemsOf } from './helpers.js';

const PORT = `trustDomain: shop.example
services:
  web:
    ports:
      8080:
        protocol: http
`;
const TOP = 'trustDomain: shop.example\n';
const RULE = `${PORT}        allow:\n          - from: [web]\n            `;

const LATER = {
  mesh: '',
  namespace: 'namespaces: { default: { K } }',
  service: 'services: { web: { K } }',
};
const unsupported: [key: string, text: string][] = [
  ...['audit', 'jwt', 'external', 'gateways', 'federation'].map((key): [string, string] => [
    key,
    `${TOP}${LATER.mesh}${key}: {}`,
  ]),
  ...['audit', 'jwt'].map((key): [string, string] => [
    key,
    `${TOP}services: { web: {} }\n${LATER.namespace.replace('K', `${key}: {}`)}`,
  ]),
  ...['audit', 'jwt', 'metricsPort', 'certificate'].map((key): [string, string] => [
    key,
    `${TOP}${LATER.service.replace('K', `${key}: {}`)}`,
  ]),
  ...['audit', 'jwt', 'probes', 'probePort'].map((key): [string, string] => [
    key,
    `${PORT}        ${key}: 1\n`,
  ]),
  ...['addresses', 'headers', 'hosts', 'claims', 'audit'].map((key): [string, string] => [
    key,
    `${RULE}${key}: 1\n`,
  ]),
  ...['addresses', 'headers', 'hosts', 'claims'].map((key): [string, string] => [
    key,
    `${RULE}not: { ${key}: 1 }\n`,
  ]),
  ['protocol "tls"', `${TOP}services: { web: { ports: { 1: tls } } }`],
  [
    'protocol "server-first"',
    `${TOP}services: { web: { ports: { 1: { protocol: server-first } } } }`,
  ],
  ['addresses', `${TOP}allow: [{ addresses: [10.0.0.0/8] }]`],
  ['"dns:…" in from', `${TOP}allow: [{ from: ["dns:a"] }]`],
];

test.each(unsupported)('refuses %s by name, as not supported yet (%#)', (key, text) => {
  const problems = problemsOf(text);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(/^mesh\.yaml:\d+:\d+ [^ ]+: /);
  expect(problems[0]?.split('\n')[0]?.endsWith(`: ${key} is not supported yet`)).toBe(true);
});
