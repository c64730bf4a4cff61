import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Account } from '../../../../src/server/join/bounds/account.js';

// Who pays when too much is taken.

const UNLIMITED = Number.POSITIVE_INFINITY;

function setUp(limits: { all?: number; service?: number } = {}) {
  const ended: string[] = [];
  const all = new Account({ name: 'all', maxBytes: limits.all ?? UNLIMITED });
  const open = (service: string, stream: string): Account =>
    all
      .child(service, { name: service, maxBytes: limits.service ?? UNLIMITED })
      .open(stream, { end: (of) => void ended.push(`${service}/${stream} for ${of.name}`) });
  return { all, open, ended };
}

it('what is below costs together', () => {
  const { all, open } = setUp();
  const [web, ledger] = [open('web', '1'), open('ledger', '2')];
  web.set(100);
  ledger.set(30);
  web.set(70);
  expect(all.bytes).toBe(100);
  web.close();
  web.set(1_000);
  expect([all.bytes, all.find('web')]).toEqual([30, undefined]);
});

it('over its own limit a service ends its heaviest stream, and no other service notices', () => {
  const { all, open, ended } = setUp({ service: 100 });
  open('ledger', '1').set(90);
  open('web', '2').set(60);
  open('web', '3').set(30);
  open('web', '4').set(20);
  expect(ended).toEqual(['web/2 for web']);
  expect(all.bytes).toBe(140);
});

it('over the limit of all the heaviest service pays, not the heaviest stream', () => {
  const { open, ended } = setUp({ all: 100 });
  open('ledger', 'large').set(40);
  for (let stream = 1; stream <= 4; stream++) open('web', String(stream)).set(20);
  expect(ended).toEqual(['web/4 for all']);
});

it('of equal ones the newest goes', () => {
  const { open, ended } = setUp({ service: 50 });
  const first = open('web', '1');
  first.set(10);
  open('web', '2').set(25);
  first.set(25);
  open('web', '3').set(25);
  expect(ended).toEqual(['web/3 for web']);
});

it('whoever takes less than its share of the limit stays, whatever others do', () => {
  const change = fc.record({
    service: fc.constantFrom('a', 'b', 'c'),
    stream: fc.integer({ min: 0, max: 4 }),
    bytes: fc.integer({ min: 0, max: 500 }),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const { all, open, ended } = setUp({ all: 1_000, service: 600 });
      const quiet = open('quiet', '1');
      quiet.set(200);
      const streams = new Map<string, Account>();
      for (const { service, stream, bytes } of changes) {
        const key = `${service}${stream}`;
        const isEnded = ended.some((one) => one.startsWith(`${service}/${key} `));
        const account = streams.get(key) ?? open(service, key);
        streams.set(key, account);
        if (!isEnded) account.set(bytes);
        expect(all.bytes).toBeLessThanOrEqual(1_000);
        for (const name of ['a', 'b', 'c']) {
          expect(all.find(name)?.bytes ?? 0).toBeLessThanOrEqual(600);
        }
      }
      expect(ended.filter((one) => one.startsWith('quiet'))).toEqual([]);
    }),
    { seed: 19 },
  );
});
