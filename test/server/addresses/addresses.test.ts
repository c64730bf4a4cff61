import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MeshError } from '../../../src/base/index.js';
import { type ServiceName, serviceName } from '../../../src/policy/index.js';
import {
  assignIndexes,
  createOutboundIndexes,
  type IndexTable,
} from '../../../src/server/addresses/index.js';
import {
  parseOutboundPrefix,
  toOutboundAddress,
} from '../../../src/server/addresses/outbound-prefix.js';
import { MemoryStore } from '../../fakes/memory-store.js';

const names = (...list: string[]): { name: ServiceName }[] =>
  list.map((name) => ({ name: serviceName(name) }));
const addressOf = (cidr: string, index: number): string =>
  toOutboundAddress(parseOutboundPrefix(cidr), index);

describe('outbound prefix', () => {
  it.each([
    ['127.64.0.0/10', 1, '127.64.0.1'],
    ['127.64.0.0/10', 254, '127.64.0.254'],
    ['127.64.0.0/10', 65_536, '127.65.0.0'],
    ['127.65.3.0/24', 7, '127.65.3.7'],
    ['127.65.3.0/30', 2, '127.65.3.2'],
    ['127.0.0.0/8', 300, '127.0.1.44'],
  ])('%s + %i is %s', (cidr, index, address) => {
    expect(addressOf(cidr, index)).toBe(address);
  });

  it.each([
    ['10.0.0.0/24', 'not loopback'],
    ['128.0.0.0/8', 'not loopback'],
    ['127.64.0.0', 'no length'],
    ['127.64.0.0/7', 'wider than loopback'],
    ['127.64.0.0/31', 'no room'],
    ['127.64.0.1/10', 'not the first address'],
    ['127.64.0.256/24', 'no octet'],
    ['::1/128', 'IPv6'],
    ['', 'nothing'],
    [' 127.64.0.0/10', 'a space'],
  ])('%s is refused: %s', (cidr) => {
    expect(() => parseOutboundPrefix(cidr)).toThrow(
      expect.objectContaining({
        code: 'request-invalid',
        message: `expected a prefix within 127.0.0.0/8 but got "${cidr}"`,
      }),
    );
  });

  it('an index that a prefix has no room for is refused, and so is its last address', () => {
    for (const index of [255, 256]) {
      expect(() => addressOf('127.65.3.0/24', index)).toThrow(
        expect.objectContaining({ code: 'resource-limit' }),
      );
    }
    expect(addressOf('127.65.3.0/24', 254)).toBe('127.65.3.254');
  });
});

describe('outbound index', () => {
  it('depends on the name alone, while nothing collides', () => {
    const both = assignIndexes({}, names('web', 'payments/ledger'));
    expect(assignIndexes({}, names('web'))['web']).toBe(both['web']);
    expect(assignIndexes({}, names('payments/ledger', 'web'))).toEqual(both);
  });

  it('what was assigned never moves, and a table that has all stays itself', () => {
    const table: IndexTable = { web: 77 };
    const next = assignIndexes(table, names('web', 'store'));
    expect(next['web']).toBe(77);
    expect(assignIndexes(next, names('store'))).toBe(next);
  });

  it('names that came and went leave room: the small block is not used up by them', () => {
    let table = assignIndexes({}, names('web'));
    const web = table['web'];
    for (let round = 0; round < 300; round++)
      table = assignIndexes(table, names('web', `ci-${round}`));
    expect(table['web']).toBe(web);
    expect(Math.max(...Object.values(table))).toBeLessThanOrEqual(254);
  });

  it('a collision is settled: two services never share an index', () => {
    const service = fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/);
    fc.assert(
      fc.property(fc.uniqueArray(service, { minLength: 200, maxLength: 400 }), (list) => {
        const indexes = Object.values(assignIndexes({}, names(...list)));
        expect(new Set(indexes).size).toBe(list.length);
        expect(Math.min(...indexes)).toBeGreaterThan(0);
      }),
      { seed: 20_261_122, numRuns: 20 },
    );
  });

  it('the first 254 services fit a /24', () => {
    const list = names(...Array.from({ length: 254 }, (_, i) => `s${i}`));
    const indexes = Object.values(assignIndexes({}, list));
    expect([Math.min(...indexes), Math.max(...indexes)]).toEqual([1, 254]);
    const more = assignIndexes(assignIndexes({}, list), [...list, ...names('one-more')]);
    expect(more['one-more']).toBe(255);
  });

  it('is stored before it is used', async () => {
    const store = new MemoryStore<IndexTable>();
    const indexes = await createOutboundIndexes(store);
    store.failure = new Error('disk full');
    await expect(indexes.ensure(names('web'))).rejects.toThrow('disk full');
    expect(() => indexes.get(serviceName('web'))).toThrow(MeshError);
    store.failure = undefined;
    await indexes.ensure(names('web'));
    expect(store.value).toEqual({ web: indexes.get(serviceName('web')) });
    await indexes.ensure(names('web'));
    expect(store.writes).toBe(1);
  });
});

describe('the outbound index of a renamed service', () => {
  it('a renamed service keeps the address that its callers know', () => {
    const before = assignIndexes({}, names('web', 'ledger'));
    const books = { name: serviceName('payments/books'), formerly: [serviceName('ledger')] };
    const after = assignIndexes(before, [...names('web'), books]);
    expect(after['payments/books']).toBe(before['ledger']);
    expect(after['web']).toBe(before['web']);
  });

  it('an earlier name gets an index of its own when it is declared anew', () => {
    const before = assignIndexes({}, names('ledger'));
    const books = { name: serviceName('books'), formerly: [serviceName('ledger')] };
    const renamed = assignIndexes(before, [books]);
    const both = assignIndexes(renamed, names('books', 'ledger'));
    expect(both['books']).toBe(before['ledger']);
    expect(both['ledger']).not.toBe(both['books']);
  });

  it('a renaming that is undone has its index back', () => {
    const before = assignIndexes({}, names('ledger'));
    const books = { name: serviceName('books'), formerly: [serviceName('ledger')] };
    const renamed = assignIndexes(before, [books]);
    expect(assignIndexes(renamed, names('ledger'))['ledger']).toBe(before['ledger']);
  });

  it('the index of an earlier name is known while a mesh that has it may be in force', async () => {
    const indexes = await createOutboundIndexes(new MemoryStore<IndexTable>());
    await indexes.ensure(names('ledger'));
    const index = indexes.get(serviceName('ledger'));
    await indexes.ensure([{ name: serviceName('books'), formerly: [serviceName('ledger')] }]);
    expect(indexes.get(serviceName('ledger'))).toBe(index);
    expect(indexes.get(serviceName('books'))).toBe(index);
  });
});
