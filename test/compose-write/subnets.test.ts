import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assignSubnets, DEFAULT_SUBNETS, trySubnets } from '../../src/compose/write/subnets.js';

const SEED = { seed: 20_261_128, numRuns: 200 };
const key = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);
const keys = fc.uniqueArray(key, { minLength: 1, maxLength: 60 });

function assign(names: readonly string[], range = DEFAULT_SUBNETS): Map<string, string> {
  const subnets = assignSubnets({ project: 'shop', keys: names, range });
  return new Map([...subnets].map(([name, { subnet }]) => [name, subnet]));
}

test('no two networks share an address, and all lie in the range', () => {
  fc.assert(
    fc.property(keys, (names) => {
      const subnets = [...assign(names).values()];
      expect(new Set(subnets).size).toBe(names.length);
      for (const subnet of subnets) expect(subnet).toMatch(/^198\.1[89]\.\d+\.(0|64|128|192)\/26$/);
    }),
    SEED,
  );
});

test('the order in which services stand in the file is irrelevant', () => {
  fc.assert(
    fc.property(keys, (names) => {
      expect(assign(names.toReversed())).toEqual(assign(names));
    }),
    SEED,
  );
});

test('one more service moves few others', () => {
  const names = Array.from({ length: 8 }, (_, index) => `service-${index}`);
  const before = assign(names);
  const moved = Array.from({ length: 50 }, (_, index) => {
    const after = assign([...names, `new-${index}`]);
    return names.filter((name) => after.get(name) !== before.get(name)).length;
  });
  expect(moved.reduce((sum, one) => sum + one, 0) / moved.length).toBeLessThan(1);
});

test('the networks of one project lie together, and those of another elsewhere', () => {
  const names = ['web', 'api', 'db'];
  const first = assignSubnets({ project: 'shop', keys: names, range: DEFAULT_SUBNETS });
  const second = assignSubnets({ project: 'bank', keys: names, range: DEFAULT_SUBNETS });
  const blocks = (subnets: typeof first): Set<string | undefined> =>
    new Set([...subnets.values()].map(({ subnet }) => /^(\d+\.\d+\.\d+)\./.exec(subnet)?.[1]));
  expect([...blocks(first)].length).toBeLessThanOrEqual(4);
  expect([...blocks(first)].some((block) => blocks(second).has(block))).toBe(false);
});

test('of a network, the sidecar has an address that no application gets', () => {
  const [subnet] = assignSubnets({ project: 'p', keys: ['a'], range: '10.213.0.0/26' }).values();
  expect(subnet).toEqual({
    subnet: '10.213.0.0/26',
    gateway: '10.213.0.1',
    sidecar: '10.213.0.2',
    applications: '10.213.0.32/27',
  });
});

test('a range that is too small is refused', () => {
  expect(() => assign(['a', 'b', 'c'], '10.213.0.0/25')).toThrow(
    'expected 3 networks in 10.213.0.0/25 but got 2',
  );
  expect(() => assign(['a'], '10.213.0.0/27')).toThrow(
    'expected a range for subnets but got "10.213.0.0/27"',
  );
});

test.each(['', '10.0.0.0', '10.0.0.1/8', '10.0.0.0/7', '10.0.0.0/27', '300.0.0.0/16', 'fd00::/8'])(
  '"%s" is no range for networks',
  (text) => {
    expect(trySubnets(text)).toBeUndefined();
  },
);
