// What can be a sidecar's address, in whatever spelling it comes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MeshError } from '../../../src/base/index.js';
import {
  createOwnAddresses,
  toAddressSet,
  toSidecarAddress,
  tryAddressRange,
  tryIpAddress,
} from '../../../src/server/addresses/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';

const ELSEWHERE = { peer: '10.9.9.9', isOwn: (address: string) => address === '10.0.0.1' };
const HERE = [{}, { peer: '127.0.0.1' }, { ...ELSEWHERE, peer: '10.0.0.1' }];

function outcome(text: unknown, site: Parameters<typeof toSidecarAddress>[1] = ELSEWHERE): string {
  try {
    return toSidecarAddress(text, site);
  } catch (error) {
    return error instanceof MeshError ? error.code : `${error}`;
  }
}

/** Eight groups of an IPv6 address. */
type Groups = readonly number[];

const bytesOf = (v4: number): Groups => [Math.floor(v4 / 65_536), v4 % 65_536];
const v4Text = (v4: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(v4 / 2 ** shift) % 256).join('.');

/** A way to write an IPv6 address: which zeros are left out, letters, leading zeros, dots. */
interface Spelling {
  readonly skip: number;
  readonly length: number;
  readonly upper: boolean;
  readonly padded: boolean;
  readonly dotted: boolean;
}

const spellings: fc.Arbitrary<Spelling> = fc.record({
  skip: fc.nat(7),
  length: fc.nat(8),
  upper: fc.boolean(),
  padded: fc.boolean(),
  dotted: fc.boolean(),
});

function spell(groups: Groups, { skip, length, upper, padded, dotted }: Spelling): string {
  const plain = groups.map((group) => group.toString(16).padStart(padded ? 4 : 1, '0'));
  const words = plain.map((word) => (upper ? word.toUpperCase() : word));
  const tail = dotted ? [v4Text((groups[6] ?? 0) * 65_536 + (groups[7] ?? 0))] : words.slice(6);
  const all = [...words.slice(0, 6), ...tail];
  let end = skip;
  const last = dotted ? 6 : 8;
  while (end < last && end - skip < length && groups[end] === 0) end++;
  if (end - skip < 1 || skip >= last) return all.join(':');
  return `${all.slice(0, skip).join(':')}::${all.slice(end).join(':')}`;
}

const inV4 = (base: number, bits: number): fc.Arbitrary<number> =>
  fc.nat(2 ** (32 - bits) - 1).map((low) => base + low);
const v4 = (text: string): number =>
  text.split('.').reduce((value, octet) => value * 256 + Number(octet), 0);

/** Of IPv4, none of a sidecar elsewhere. */
const badV4 = fc.oneof(
  inV4(v4('0.0.0.0'), 8),
  inV4(v4('127.0.0.0'), 8),
  inV4(v4('169.254.0.0'), 16),
  inV4(v4('224.0.0.0'), 3),
  fc.constantFrom(...['100.100.100.200', '168.63.129.16', '192.0.0.192', '10.0.0.1'].map(v4)),
);
const anyV4 = fc.nat(2 ** 32 - 1);
const zeros = (count: number): number[] => Array.from({ length: count }, () => 0);
const group = fc.nat(65_535);
const groups = (count: number): fc.Arbitrary<number[]> =>
  fc.array(group, { minLength: count, maxLength: count });

/** Of IPv6, none of a sidecar elsewhere. */
const badV6: fc.Arbitrary<Groups> = fc.oneof(
  badV4.map((address) => [...zeros(5), 0xffff, ...bytesOf(address)]),
  anyV4.map((address) => [...zeros(6), ...bytesOf(address)]),
  anyV4.map((address) => [...zeros(4), 0xffff, 0, ...bytesOf(address)]),
  anyV4.map((address) => [0x64, 0xff9b, ...zeros(4), ...bytesOf(address)]),
  groups(5).map((rest) => [0x64, 0xff9b, 1, ...rest]),
  groups(7).map((rest) => [0x2002, ...rest]),
  groups(6).map((rest) => [0x2001, 0, ...rest]),
  groups(4).map((rest) => [0x100, 0, 0, 0, ...rest]),
  groups(7).map((rest) => [0xfe80 + ((rest[0] ?? 0) % 64), ...rest]),
  groups(7).map((rest) => [0xff00 + ((rest[0] ?? 0) % 256), ...rest]),
  fc.constant([0xfd00, 0xec2, ...zeros(5), 0x254]),
);

describe('of a sidecar on another machine', () => {
  it('no spelling of what cannot be its address is taken', () => {
    fc.assert(
      fc.property(badV6, spellings, (address, spelling) => {
        const text = spell(address, spelling);
        expect([text, outcome(text)]).toEqual([text, 'address-refused']);
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(badV4, (address) => {
        expect(outcome(v4Text(address))).toBe('address-refused');
      }),
    );
  });

  it('what can be is taken, all of its spellings as one', () => {
    const good = groups(8).map(([, ...rest]) => [0xfd12, ...rest]);
    fc.assert(
      fc.property(good, spellings, spellings, (address, one, other) => {
        const taken = outcome(spell(address, one));
        expect(taken).toBe(outcome(spell(address, other)));
        expect(tryIpAddress(taken)).toBe(taken);
      }),
    );
    const mapped = inV4(v4('10.0.4.0'), 22);
    fc.assert(
      fc.property(mapped, spellings, (address, spelling) => {
        const text = spell([...zeros(5), 0xffff, ...bytesOf(address)], spelling);
        expect(outcome(text)).toBe(v4Text(address));
      }),
    );
  });

  it.each(['', 'localhost', '10.0.0', '010.0.0.1', '0x7f000001', '127.1', 'fe80::1%eth0', 7, null])(
    '%j is no address',
    (text) => {
      expect(outcome(text)).toBe('request-invalid');
    },
  );
});

describe('of a sidecar on this machine', () => {
  it.each(['127.0.0.1', '127.1.0.9', '::1', '10.0.0.1', '::ffff:127.0.0.1'])(
    '%s is taken',
    (text) => {
      for (const site of HERE) expect(outcome(text, site)).toBe(tryIpAddress(text));
    },
  );

  it.each(['169.254.169.254', 'fe80::1', '0.0.0.0', '224.0.0.1', '64:ff9b::1'])(
    '%s is not',
    (text) => {
      for (const site of HERE) expect(outcome(text, site)).toBe('address-refused');
    },
  );
});

describe('what the operator allows', () => {
  const ranges = ['169.254.7.0/24', 'fe80::/10', '127.0.0.0/8', '224.0.0.0/4', '::/0', '10.0.0.1'];
  const allowed = toAddressSet(ranges.map((text) => tryAddressRange(text) ?? expect.fail(text)));
  const site = { ...ELSEWHERE, allowed };

  it.each(['169.254.7.9', 'fe80::1', '127.0.0.1', '10.0.0.1', '64:ff9b::1'])(
    '%s is taken',
    (text) => {
      expect(outcome(text, site)).toBe(text);
    },
  );

  it.each(['169.254.8.1', '224.0.0.1', '0.0.0.0', '::', 'ff02::1', '255.255.255.255'])(
    '%s is not, which nobody can be at or nobody allowed',
    (text) => {
      expect(outcome(text, site)).toBe('address-refused');
    },
  );
});

it.each<[string, boolean]>([
  ['10.0.0.0/8', true],
  ['10.0.0.0/33', false],
  ['fd00::/128', true],
  ['fd00::/129', false],
  ['10.0.0.0/', false],
  ['x/8', false],
  ['fe80::%eth0/64', false],
])('%s is a range: %s', (text, isOne) => {
  expect(tryAddressRange(text) !== undefined).toBe(isOne);
});

it('addresses of this machine are read again when some time has passed', () => {
  const clock = new ManualClock();
  let reads = 0;
  const isOwn = createOwnAddresses(clock, () => {
    reads++;
    const own = { address: reads === 1 ? '10.0.0.1' : 'fe80::1%eth0' };
    return { eth0: [own as never] };
  });
  expect([isOwn('10.0.0.1'), isOwn('fe80::1'), reads]).toEqual([true, false, 1]);
  clock.advance(10_000);
  expect([isOwn('10.0.0.1'), isOwn('fe80::1'), reads]).toEqual([false, true, 2]);
});
