import { expect, it } from 'vitest';
import type { Mesh } from '../../../src/policy/index.js';
import { type AccessMarks, NO_ACCESS_MARKS } from '../../../src/server/mesh/index.js';
import { edit, openTracks, settledTracks } from '../../../src/server/mesh/tracks.js';
import { meshOf } from '../../policy/helpers.js';

const meshWith = (more: string): Mesh =>
  meshOf(`trustDomain: shop.example
${more}`);
const SERVICES = `
  web: {}
  batch: {}
  other: { ports: { 7000: { protocol: tcp, mtls: strict }, 7001: http } }`;

/** After edits that no sidecar has answered. */
const marksAfter = (marks: AccessMarks, before: Mesh, ...edits: readonly Mesh[]): AccessMarks => {
  const state = openTracks(settledTracks(before, marks));
  return edits.reduce((now, mesh) => edit(now, mesh, 0), state).marks;
};

const marksOf = (before: Mesh, ...edits: readonly Mesh[]) => {
  const { identities, plain } = marksAfter(NO_ACCESS_MARKS, before, ...edits);
  return { identities: Object.keys(identities).sort(), plain: Object.keys(plain).sort() };
};
const NOBODY = { identities: [], plain: [] };

const ledger = (own: string): Mesh =>
  meshWith(`services: ${SERVICES}
  ledger: { ports: { 8080: http, 6000: { protocol: tcp } }, ${own} }`);

it('only the ports from which somebody is taken are marked', () => {
  const both = ledger('mtls: strict, allow: [ { from: [web, batch] } ]');
  const one = ledger('mtls: strict, allow: [ { from: [web] } ]');
  const ports = ['ledger:6000', 'ledger:8080'];
  expect(marksOf(both, one)).toEqual({ identities: ports, plain: [] });
  expect(marksOf(one, both)).toEqual(NOBODY);
  expect(marksOf(one, one)).toEqual(NOBODY);
});

it('callers without identity are told apart', () => {
  const open = ledger('mtls: permissive');
  const mesh = ledger('mtls: permissive, allow: [ { from: ["*"] } ]');
  const ports = ['ledger:6000', 'ledger:8080'];
  expect(marksOf(open, mesh)).toEqual({ identities: [], plain: ports });
});

it("a namespace's default, and the mesh's, are changes too", () => {
  const services = `services: ${SERVICES}\n  n/ledger: { ports: { 8080: http } }`;
  const open = meshWith(services);
  const closed = meshWith(`namespaces: { n: { access: deny } }\n${services}`);
  expect(marksOf(open, closed)).toEqual({
    identities: ['n/ledger:8080'],
    plain: ['n/ledger:8080'],
  });
  const all = ['n/ledger:8080', 'other:7000', 'other:7001'];
  const shut = meshWith(`access: deny\n${services}`);
  expect(marksOf(open, shut)).toEqual({ identities: all, plain: all });
});

it('a rule of requests marks no tcp port', () => {
  const open = ledger('mtls: strict');
  const next = meshWith(`deny: [ { methods: [POST] } ]
services: ${SERVICES}
  ledger: { ports: { 8080: http, 6000: { protocol: tcp } }, mtls: strict }`);
  const http = ['ledger:8080', 'other:7001'];
  expect(marksOf(open, next)).toEqual({ identities: http, plain: http });
});

it('a change of mode, of a target or of a place in the file marks nothing', () => {
  const one = ledger('mtls: strict, allow: [ { from: [web] } ]');
  const two = ledger('mtls: permissive, allow: [\n      { from: [web] } ]');
  expect(marksOf(one, two)).toEqual(NOBODY);
});

it('whatever of several may be in force counts', () => {
  const both = ledger('mtls: strict, allow: [ { from: [web, batch] } ]');
  const one = ledger('mtls: strict, allow: [ { from: [web] } ]');
  const first = marksAfter(NO_ACCESS_MARKS, both, one);
  const again = marksAfter(NO_ACCESS_MARKS, both, one, both, one);
  expect(Object.keys(again.identities)).toEqual(['ledger:6000', 'ledger:8080']);
  expect(again.identities['ledger:8080']).not.toBe(first.identities['ledger:8080']);
});

it('the mark of a port that is gone goes', () => {
  const both = ledger('mtls: strict, allow: [ { from: [web, batch] } ]');
  const one = ledger('mtls: strict, allow: [ { from: [web] } ]');
  const marks = marksAfter(NO_ACCESS_MARKS, both, one);
  expect(marks).not.toEqual(NO_ACCESS_MARKS);
  const after = marksAfter(marks, one, meshWith(`services: ${SERVICES}`));
  expect(after).toEqual(NO_ACCESS_MARKS);
});
