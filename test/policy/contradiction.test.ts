// A rule whose `not` takes away all that it asks for passed `check`, and let nobody in.
import { expect, test } from 'vitest';
import { faultsOf } from './helpers.js';

const MESH = `trustDomain: shop.example
services:
  web: {}
  batch: {}
  payments/cron: {}
  ledger:
    ports:
      8080:
        protocol: http
        allow:
`;
const AT = 'mesh.yaml:11:';

const never: [rule: string, field: string, what: string][] = [
  ['{ from: [web], not: { from: [web] } }', 'from', 'all of its from'],
  ['{ from: [web, batch], not: { from: [batch, web] } }', 'from', 'all of its from'],
  ['{ from: [web], not: { from: ["*"] } }', 'from', 'all of its from'],
  ['{ from: [web], not: { from: [anyone] } }', 'from', 'all of its from'],
  ['{ from: [payments/cron], not: { from: [payments/*] } }', 'from', 'all of its from'],
  ['{ from: [payments/*], not: { from: ["*"] } }', 'from', 'all of its from'],
  [
    '{ from: ["spiffe://shop.example/ns/default/sa/web"], not: { from: [web] } }',
    'from',
    'all of its from',
  ],
  [
    '{ from: [payments/*], not: { from: ["spiffe://shop.example/ns/*"] } }',
    'from',
    'all of its from',
  ],
  [
    '{ from: [web], methods: [GET], not: { methods: [GET, PUT] } }',
    'methods',
    'all of its methods',
  ],
  ['{ from: [web], paths: [/a/b], not: { paths: ["/a/*"] } }', 'paths', 'all of its paths'],
  ['{ from: [web], paths: ["/a/*"], not: { paths: ["/a*"] } }', 'paths', 'all of its paths'],
  ['{ from: [web], paths: [/a/], not: { paths: [/a] } }', 'paths', 'all of its paths'],
  ['{ from: [web], not: { paths: ["*"] } }', 'paths', 'everything'],
];

test.each(never)('%s can never match', (rule, field, what) => {
  const [problem, ...more] = faultsOf(`${MESH}          - ${rule}\n`);
  expect(more).toEqual([]);
  expect(problem).toContain(`services.ledger.ports.8080.allow[0].not.${field}: `);
  expect(problem?.startsWith(AT)).toBe(true);
  expect(problem).toContain(`expected a rule that can match but its not takes away ${what}\n`);
});

const sometimes = [
  '{ from: [web, batch], not: { from: [web] } }',
  '{ from: ["*"], not: { from: [web] } }',
  '{ from: [payments/*], not: { from: [payments/cron] } }',
  '{ from: [web], methods: [GET, PUT], not: { methods: [GET] } }',
  '{ from: [web], paths: ["/a/*"], not: { paths: [/a/b] } }',
  '{ from: [web], paths: ["/a/*"], not: { paths: ["/a/b*"] } }',
  '{ from: [web], paths: ["/a*"], not: { paths: ["/a/*"] } }',
  '{ from: [web], paths: ["*b"], not: { paths: ["/a/*"] } }',
];

test.each(sometimes)('%s can match', (rule) => {
  expect(faultsOf(`${MESH}          - ${rule}\n`)).toEqual([]);
});
