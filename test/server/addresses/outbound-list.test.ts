import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { serviceName } from '../../../src/policy/index.js';
import {
  parseOutbound,
  toCalleeAddress,
  tryCalleeAddress,
} from '../../../src/server/addresses/index.js';
import {
  MAX_OUTBOUND_CALLEES,
  MAX_OUTBOUND_TEXT,
} from '../../../src/server/addresses/outbound-list.js';

const LEDGER = serviceName('ledger');

describe('a list of callees', () => {
  it('says where each is called, and that no other is', () => {
    const outbound = parseOutbound('ledger=198.18.0.2,payments/db=127.0.0.9');
    const at = (name: string) => {
      const of = { callee: { name: serviceName(name) }, index: 7 };
      expect(toCalleeAddress(outbound, of)).toBe(tryCalleeAddress(outbound, of));
      return toCalleeAddress(outbound, of);
    };
    expect([at('ledger'), at('payments/db'), at('web')]).toEqual([
      '198.18.0.2',
      '127.0.0.9',
      undefined,
    ]);
  });

  it('names a service that was renamed as before, and by its new name first', () => {
    const callee = { name: serviceName('payments/books'), formerly: [LEDGER] };
    const at = (text: string) => tryCalleeAddress(parseOutbound(text), { callee, index: 1 });
    expect(at('ledger=198.18.0.2')).toBe('198.18.0.2');
    expect(at('ledger=198.18.0.2,payments/books=198.18.0.3')).toBe('198.18.0.3');
  });

  it('may have one address for several', () => {
    const outbound = parseOutbound('ledger=198.18.0.2,db=198.18.0.2');
    expect(tryCalleeAddress(outbound, { callee: { name: LEDGER }, index: 1 })).toBe('198.18.0.2');
  });
});

describe('a text that is no list of callees', () => {
  const entry = (text: string): string => `expected <service>=<IPv4 address> but got "${text}"`;
  const address = (text: string): string =>
    `expected an IPv4 address of one host for "ledger" but got "${text}"`;
  it.each([
    ['=198.18.0.2', entry('=198.18.0.2')],
    ['ledger=', address('')],
    ['ledger=198.18.0.2,', entry('')],
    ['ledger=198.18.0.2,db', entry('db')],
    ['ledger=198.18.0.2=1', entry('ledger=198.18.0.2=1')],
    ['Ledger=198.18.0.2', entry('Ledger=198.18.0.2')],
    ['ledger=198.18.0.2, db=198.18.0.3', entry(' db=198.18.0.3')],
    ['ledger=db', address('db')],
    ['ledger=198.18.0', address('198.18.0')],
    ['ledger=198.18.0.2/32', address('198.18.0.2/32')],
    ['ledger=fd00::2', address('fd00::2')],
    ['ledger=::ffff:0.0.0.0', address('::ffff:0.0.0.0')],
    ['ledger=0.0.0.0', address('0.0.0.0')],
    ['ledger=224.0.0.1', address('224.0.0.1')],
    ['ledger=255.255.255.255', address('255.255.255.255')],
    ['ledger=10.0.0.1,ledger=10.0.0.2', 'expected each callee once but got "ledger" again'],
    [`ledger=${'x'.repeat(300)}`, `${address('x'.repeat(100)).slice(0, -1)}… (300 characters)"`],
    ['ledger=1\u001b[2J', address('1\\u001b[2J')],
  ])('%j is refused', (text, message) => {
    expect(() => parseOutbound(text)).toThrow(
      expect.objectContaining({ code: 'request-invalid', message }),
    );
  });

  it('is bounded', () => {
    const many = (count: number): string =>
      Array.from({ length: count }, (_, i) => `s${i}=10.0.0.1`).join();
    expect(() => parseOutbound(many(MAX_OUTBOUND_CALLEES))).not.toThrow();
    expect(() => parseOutbound(many(MAX_OUTBOUND_CALLEES + 1))).toThrow(
      `expected at most ${MAX_OUTBOUND_CALLEES} callees but got ${MAX_OUTBOUND_CALLEES + 1}`,
    );
    expect(() => parseOutbound(`=${'x'.repeat(MAX_OUTBOUND_TEXT)}`)).toThrow(
      `at most ${MAX_OUTBOUND_TEXT} characters but got ${MAX_OUTBOUND_TEXT + 1}`,
    );
  });
});

describe('any list of callees', () => {
  it('that is printed is read as the same', () => {
    const octet = fc.integer({ min: 1, max: 223 });
    const host = fc.tuple(octet, octet, octet, octet).map((all) => all.join('.'));
    const name = fc.stringMatching(/^(?:[a-z]{1,9}\/)?[a-z][a-z0-9]{0,9}$/);
    const table = fc.uniqueArray(fc.tuple(name, host), { selector: ([key]) => key, minLength: 1 });
    fc.assert(
      fc.property(table, (entries) => {
        const text = entries.map((pair) => pair.join('=')).join();
        const outbound = parseOutbound(text);
        expect(outbound).toMatchObject({ kind: 'list', addresses: new Map(entries as never) });
      }),
      { seed: 20_261_128, numRuns: 200 },
    );
  });

  it('and whatever else it is, is refused by its own error', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab=,./0127 :%') }), (text) => {
        try {
          parseOutbound(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'request-invalid' });
        }
      }),
      { seed: 20_261_128, numRuns: 2_000 },
    );
  });
});
