import { describe, expect, it } from 'vitest';
import type { Revocation } from '../../../src/revocation/index.js';
import {
  type Marks,
  NO_MARKS,
  nextMarks,
} from '../../../src/server/revocation/revocation-marks.js';
import { meshOf } from '../../policy/helpers.js';

const MESH = meshOf(`trustDomain: shop.example
services:
  web: {}
  batch: {}
  ledger:
    allow: [ { from: [web] } ]
    ports:
      8080: { protocol: http, mtls: strict }
      9090: { protocol: http, mtls: disable }
  store:
    allow: [ { from: [web, batch] } ]
    ports: { 6000: { protocol: tcp, mtls: strict } }
`);
const of = (kind: Revocation['kind'], subject: string, revokedAtMs = 1): Revocation => ({
  kind,
  subject,
  revokedAtMs,
});
const SERIALS = new Map([['0a', 'batch']]);
const next = (before: Marks, ...revocations: Revocation[]): Marks =>
  nextMarks(before, {
    revocations,
    serviceOf: (serialHex) => SERIALS.get(serialHex),
    meshes: [MESH],
  });
const ports = ({ inbound, outbound }: Marks): [string[], string[]] => [
  Object.keys(inbound),
  Object.keys(outbound),
];

describe('whose connections end', () => {
  it.each<[string, Revocation, [string[], string[]]]>([
    ['a service: at the ports that it may call', of('service', 'batch'), [['store:6000'], []]],
    ['another one', of('service', 'web'), [['ledger:8080', 'ledger:9090', 'store:6000'], []]],
    ['one that may call nobody', of('service', 'ledger'), [[], []]],
    ['an instance: at its callers too', of('instance', 'store~one'), [[], ['store:6000']]],
    ['an instance of a caller', of('instance', 'batch~one'), [['store:6000'], []]],
    ['a certificate: as its service', of('serial', '0a'), [['store:6000'], []]],
    ['a certificate that nobody knows: nobody’s', of('serial', '0b'), [[], []]],
    ['a token: its streams end by themselves', of('token', 'f00d'), [[], []]],
    ['a service that is not declared', of('service', 'gone'), [[], []]],
  ])('%s', (_name, revocation, expected) => {
    expect(ports(next(NO_MARKS, revocation))).toEqual(expected);
  });

  it('a service that is not declared, by the identity of its name', () => {
    const open = meshOf(`trustDomain: shop.example
services:
  store: { ports: { 6000: { protocol: tcp, mtls: strict } } }
`);
    const marks = nextMarks(NO_MARKS, {
      revocations: [of('service', 'gone')],
      serviceOf: () => undefined,
      meshes: [open, open],
    });
    expect(ports(marks)).toEqual([['store:6000'], []]);
  });
});

describe('a mark', () => {
  const batch = of('service', 'batch');

  it('is the same on every server', () => {
    expect(next(NO_MARKS, batch)).toEqual({
      seen: ['service batch 1'],
      inbound: { 'store:6000': expect.stringMatching(/^[0-9a-f]{16}$/) },
      outbound: {},
    });
    expect(next(NO_MARKS, batch)).toEqual(next(NO_MARKS, batch));
  });

  it('stays while the revocation does, and when it is taken back', () => {
    const marks = next(NO_MARKS, batch);
    expect(next(marks, batch)).toBe(marks);
    expect(next(marks)).toEqual({ ...marks, seen: [] });
  });

  it('is another where it is made again after that, or another concerns the port', () => {
    const first = next(NO_MARKS, batch);
    const marks = [
      first,
      next(next(first), of('service', 'batch', 2)),
      next(first, batch, of('service', 'web')),
    ].map(({ inbound }) => inbound['store:6000']);
    expect(new Set(marks).size).toBe(3);
  });

  it('does not change with the access rules', () => {
    const closed = meshOf(`trustDomain: shop.example
access: deny
services:
  store: { ports: { 6000: { protocol: tcp, mtls: strict } } }
`);
    const marks = next(NO_MARKS, batch);
    const input = { revocations: [batch], serviceOf: () => undefined, meshes: [closed] };
    expect(nextMarks(marks, input)).toBe(marks);
  });
});
