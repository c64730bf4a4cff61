import { expect, it } from 'vitest';
import { meshOf } from '../policy/helpers.js';
import { faultsOf } from './change.js';
import { momentsToTheEnd, Walk } from './walk.js';
import { flowsTo } from './world.js';

// Edits that were seen to fail on real Envoys (issue 14), at every moment of their way.

const REQUESTS = ['GET', 'POST'].map((method) => ({ method, path: '/' }));
const FLOWS = [8080, 8081].flatMap((port) => flowsTo(port, ['web', 'batch'], REQUESTS));

const meshWith = (ledger: string, more = ''): string => `trustDomain: shop.example
${more}
services:
  web: {}
  batch: {}
  ledger: ${ledger}
`;

const port = (more: string): string => `ports: { 8080: { protocol: http${more} } }`;
const inNamespace = (rules: string): string => `namespaces: { default: { ${rules} } }`;
const NOT_WEB = inNamespace('deny: [ { from: [web] } ]');
const BATCH = inNamespace('allow: [ { from: [batch] } ]');

it.each<[string, string, string]>([
  [
    'a caller without any way in is not served, from strict to disable without the old deny',
    meshWith(`{ ${port(', mtls: strict')} }`, 'deny: [ { from: [web], methods: [POST] } ]'),
    meshWith(`{ allow: [ { from: [web] } ], ${port(', mtls: disable')} }`),
  ],
  [
    "a namespace's identity rule does not come alive, from strict to disable",
    meshWith(`{ ${port(', mtls: strict, allow: [ { from: [web] } ]')} }`, BATCH),
    meshWith(`{ ${port(', mtls: disable')} }`, BATCH),
  ],
  [
    'a caller whom an inert deny names is served throughout, from disable to strict without it',
    meshWith(`{ ${port(', mtls: disable')} }`, NOT_WEB),
    meshWith(`{ ${port(', mtls: strict')} }`),
  ],
  [
    'the same in reverse',
    meshWith(`{ ${port(', mtls: strict')} }`),
    meshWith(`{ ${port(', mtls: disable')} }`, NOT_WEB),
  ],
  [
    'and from disable to permissive',
    meshWith(`{ ${port(', mtls: disable')} }`, NOT_WEB),
    meshWith(`{ ${port(', mtls: permissive')} }`),
  ],
  ...(['http', 'tcp'] as const).map((protocol): [string, string, string] => {
    const swapped = (a: string, b: string): string => {
      const target = (at: string, from: string) =>
        `{ protocol: ${protocol}, target: "127.0.0.1:${at}", allow: [ { from: [${from}] } ] }`;
      const callers: Record<string, string> = { 9001: 'web', 9002: 'batch' };
      const ports = `8080: ${target(a, callers[a] ?? '')}, 8081: ${target(b, callers[b] ?? '')}`;
      return meshWith(`{ mtls: strict, ports: { ${ports} } }`);
    };
    return [
      `nobody reaches another's application while two ${protocol} ports swap target and rules`,
      swapped('9001', '9002'),
      swapped('9002', '9001'),
    ];
  }),
])('%s', (_name, from, to) => {
  const [before, after] = [meshOf(from), meshOf(to)];
  const walk = new Walk(before);
  walk.edit(after);
  const moments = momentsToTheEnd(walk);
  expect(faultsOf([before, after], { flows: FLOWS, moments })).toEqual([]);
});
