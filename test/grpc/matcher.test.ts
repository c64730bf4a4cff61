import { describe, expect, test } from 'vitest';
import type { MeshError } from '../../src/base/index.js';
import type { countersign } from '../../src/gen/wire.js';
import { toNodePredicate } from '../../src/grpc/matcher.js';
import type { Node } from '../../src/xds/index.js';

type Matcher = countersign.wire.NodeMatcher;
type Value = countersign.wire.ValueMatcher;

const NODE: Node = {
  id: 'payments/ledger~10.0.0.3',
  cluster: 'payments/ledger',
  metadata: { zone: 'b', canary: true, nothing: null, deep: { er: 'x' }, list: ['b'] },
  userAgentName: 'envoy',
  userAgentVersion: '1.40.0',
};

const matches = (...matchers: Matcher[]): boolean => toNodePredicate(matchers)(NODE);
const id = (nodeId: countersign.wire.StringMatcher): Matcher => ({ nodeId });
const metadata = (path: string, value: Value): Matcher => ({
  nodeMetadatas: [{ path: path.split('.').map((key) => ({ key })), value }],
});

describe('which nodes match', () => {
  const rows: readonly (readonly [string, readonly Matcher[], boolean])[] = [
    ['no matcher', [], true],
    ['a matcher without conditions', [{}], true],
    ['exact', [id({ exact: NODE.id })], true],
    ['exact, other case', [id({ exact: NODE.id.toUpperCase() })], false],
    ['exact, case ignored', [id({ exact: NODE.id.toUpperCase(), ignoreCase: true })], true],
    ['prefix', [id({ prefix: 'payments/' })], true],
    ['prefix elsewhere', [id({ prefix: 'ledger' })], false],
    ['suffix', [id({ suffix: '~10.0.0.3' })], true],
    ['contains', [id({ contains: 'LEDGER', ignoreCase: true })], true],
    ['a pattern', [id({ safeRegex: { regex: 'payments/.*~[0-9.]+' } })], true],
    ['a pattern of a part', [id({ safeRegex: { regex: 'ledger' } })], false],
    ['a pattern of two', [id({ safeRegex: { regex: 'x|payments' } })], false],
    ['one of two matchers', [id({ exact: 'x' }), id({ prefix: 'p' })], true],
    ['one of two conditions', [{ ...metadata('zone', { stringMatch: { exact: 'a' } }) }], false],
    ['text', [metadata('zone', { stringMatch: { exact: 'b' } })], true],
    ['deep text', [metadata('deep.er', { stringMatch: { prefix: 'x' } })], true],
    ['text for a boolean', [metadata('canary', { stringMatch: { exact: 'true' } })], false],
    ['true', [metadata('canary', { boolMatch: true })], true],
    ['false', [metadata('canary', { boolMatch: false })], false],
    ['null', [metadata('nothing', { nullMatch: Buffer.alloc(0) })], true],
    ['there', [metadata('zone', { presentMatch: true })], true],
    ['not there', [metadata('other.er', { presentMatch: false })], true],
    ['not inherited', [metadata('constructor', { presentMatch: true })], false],
    ['not inside a list', [metadata('list.0', { presentMatch: true })], false],
  ];
  test.each(rows)('%s', (_, matchers, expected) => expect(matches(...matchers)).toBe(expected));

  test('all conditions of one matcher must hold', () => {
    const right = metadata('zone', { stringMatch: { exact: 'b' } });
    expect(matches({ ...right, ...id({ prefix: 'p' }) })).toBe(true);
    expect(matches({ ...right, ...id({ prefix: 'q' }) })).toBe(false);
  });
});

describe('what is refused', () => {
  const rows: readonly (readonly [string, Matcher, MeshError['code']])[] = [
    ['an extension', id({ custom: Buffer.from('x') }), 'request-invalid'],
    ['no pattern', id({}), 'request-invalid'],
    ['not a regular expression', id({ safeRegex: { regex: '(' } }), 'request-invalid'],
    ['a long pattern', id({ safeRegex: { regex: 'a'.repeat(1_001) } }), 'resource-limit'],
    [
      'a pattern that takes for ever',
      id({ safeRegex: { regex: '(?:(?:[a-z0-9./~]+)+)+!' } }),
      'resource-limit',
    ],
    ['no path', { nodeMetadatas: [{ value: { boolMatch: true } }] }, 'request-invalid'],
    ['no value', { nodeMetadatas: [{ path: [{ key: 'zone' }] }] }, 'request-invalid'],
    ['a number', metadata('zone', { doubleMatch: Buffer.alloc(0) }), 'request-invalid'],
    ['a list', metadata('zone', { listMatch: Buffer.alloc(0) }), 'request-invalid'],
    ['an alternative', metadata('zone', { orMatch: Buffer.alloc(0) }), 'request-invalid'],
  ];
  test.each(rows)('%s', (_, matcher, code) => {
    expect(() => matches(matcher)).toThrow(expect.objectContaining({ code }));
  });

  test('more matchers than allowed', () => {
    const many = Array.from({ length: 101 }, () => id({ exact: 'x' }));
    expect(() => matches(...many)).toThrow(expect.objectContaining({ code: 'resource-limit' }));
  });
});
