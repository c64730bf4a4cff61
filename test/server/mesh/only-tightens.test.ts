import { expect, it } from 'vitest';
import { type Mesh, parseMesh } from '../../../src/policy/index.js';
import { onlyTightens } from '../../../src/server/mesh/only-tightens.js';

function meshOf(ledger: string, rest = ''): Mesh {
  const text = `trustDomain: shop.example
services:
  web: {}
  batch: {}
  ledger: ${ledger}
${rest}`;
  const { mesh, problems } = parseMesh([{ path: 'mesh.yaml', text }]);
  if (mesh === undefined) throw new Error(JSON.stringify(problems));
  return mesh;
}

const port = (settings: string): string => `{ ports: { 80: { protocol: http, ${settings} } } }`;
const OPEN = port('mtls: permissive');
const STRICT = port('mtls: strict');

it.each([
  ['nothing', OPEN, OPEN, true],
  ['to strict', OPEN, port('mtls: strict'), true],
  ['to disable', OPEN, port('mtls: disable'), false],
  ['from strict', port('mtls: strict'), OPEN, false],
  ['a deny more', STRICT, port('mtls: strict, deny: [ { from: [web] } ]'), true],
  ['a deny less', port('mtls: strict, deny: [ { from: [web] } ]'), STRICT, false],
  ['an allow list', OPEN, port('mtls: permissive, allow: [ { from: [web] } ]'), true],
  [
    'a caller more',
    port('mtls: strict, allow: [ { from: [web] } ]'),
    port('mtls: strict, allow: [ { from: [web, batch] } ]'),
    false,
  ],
  [
    'a caller less',
    port('mtls: strict, allow: [ { from: [web, batch] } ]'),
    port('mtls: strict, allow: [ { from: [web] } ]'),
    true,
  ],
  ['another protocol', OPEN, '{ ports: { 80: { protocol: grpc, mtls: permissive } } }', false],
  ['a port more', '{}', OPEN, false],
  ['a port less', OPEN, '{}', false],
])('%s', (_, before, after, expected) => {
  expect(onlyTightens(meshOf(before), meshOf(after))).toBe(expected);
});

it('a service more or less is no tightening', () => {
  expect(onlyTightens(meshOf(OPEN), meshOf(OPEN, '  more: {}\n'))).toBe(false);
  expect(onlyTightens(meshOf(OPEN, '  more: {}\n'), meshOf(OPEN))).toBe(false);
});

it('places that moved are no change', () => {
  const moved = meshOf(`\n    ${OPEN}`);
  expect(onlyTightens(meshOf(OPEN), moved)).toBe(true);
});
