import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { decideAccess } from '../../src/policy/decide.js';
import { compareAccess, type PortAccess } from '../../src/policy/index.js';
import { canMatch, meshOf, portOf } from './helpers.js';

const SEED = { seed: 20_261_129, numRuns: 150 };
const trustDomain = 'shop.example';

function accessOf(own: object, { protocol = 'http', mtls = 'strict' } = {}): PortAccess {
  const text = stringify(
    {
      trustDomain,
      services: {
        ...{ a: {}, b: {}, 'ns/c': {} },
        back: { ports: { 8080: { protocol, mtls, ...own } } },
      },
    },
    { aliasDuplicateObjects: false },
  );
  return portOf(meshOf(text), 'back:8080').access;
}

const from = fc.subarray(['a', 'b', 'ns/*', '*', 'anyone'], { minLength: 1 });
const methods = fc.subarray(['GET', 'POST'], { minLength: 1 });
const paths = fc.subarray(['/x', '/x/*', '*y', '*', '/{*}/y'], { minLength: 1 });
const rule = fc
  .record(
    {
      from,
      methods,
      paths,
      not: fc.record({ from, methods, paths }, { requiredKeys: ['paths'] }),
    },
    { requiredKeys: ['from'] },
  )
  .filter(canMatch);
const rules = fc.record(
  {
    deny: fc.array(rule, { minLength: 1, maxLength: 2 }),
    allow: fc.array(rule, { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: [] },
);

const IDS = ['ns/default/sa/a', 'ns/default/sa/b', 'ns/ns/sa/c', 'ns/other/sa/d'];
const CALLERS = [undefined, ...IDS.map((path) => `spiffe://${trustDomain}/${path}`)];
const REQUESTS = ['GET', 'POST', 'get', 'LIST'].flatMap((method) =>
  ['/', '/x', '/x/', '/x/y', '/z/y', '/x/1'].map((path) => ({ method, path })),
);

describe('a change of rules that takes something away', () => {
  it('is never missed', { timeout: 120_000 }, () => {
    const counts = { narrower: 0, forNothing: 0, wider: 0 };
    fc.assert(
      fc.property(rules, rules, (one, two) => {
        const [before, after] = [accessOf(one), accessOf(two)];
        const found = compareAccess({ before, after, trustDomain, http: true });
        const loses = (spiffeId: string | undefined): boolean =>
          REQUESTS.some((request) => {
            const asked = { ...request, spiffeId, trustDomain };
            return decideAccess(before, asked).allowed && !decideAccess(after, asked).allowed;
          });
        const [plain, ...identities] = CALLERS;
        if (loses(plain)) expect(found.plain).toBe(true);
        const isNarrower = identities.some(loses);
        if (isNarrower) expect(found.identities).toBe(true);
        if (isNarrower) counts.narrower++;
        else if (found.identities) counts.forNothing++;
        else counts.wider++;
      }),
      SEED,
    );
    expect(counts.narrower).toBeGreaterThan(30);
    expect(counts.wider).toBeGreaterThan(15);
    // Cut for nothing, so seldom.
    expect(counts.forNothing).toBeLessThan(counts.wider);
  });

  const NO = { identities: false, plain: false };
  const WEB = { allow: [{ from: ['a'] }] };
  it.each([
    ['the same', WEB, WEB, NO],
    ['another caller is let in', WEB, { allow: [{ from: ['a', 'b'] }] }, NO],
    [
      'the same in other words',
      { allow: [{ from: ['a', 'b'] }] },
      {
        allow: [{ from: ['b'] }, { from: ['a'] }],
      },
      NO,
    ],
    ['a caller goes', { allow: [{ from: ['a', 'b'] }] }, WEB, { identities: true, plain: false }],
    ['everybody is let in', WEB, {}, NO],
    [
      'nobody was, and somebody is refused too',
      { access: 'deny' },
      {
        access: 'deny',
        deny: [{ from: ['a'] }],
      },
      NO,
    ],
    ['a list where all were let in', {}, WEB, { identities: true, plain: true }],
    ['plain text alone', {}, { allow: [{ from: ['*'] }] }, { identities: false, plain: true }],
    [
      'a method less',
      { allow: [{ from: ['a'], methods: ['GET', 'POST'] }] },
      {
        allow: [{ from: ['a'], methods: ['GET'] }],
      },
      { identities: true, plain: false },
    ],
    [
      'a path more',
      { allow: [{ from: ['a'], paths: ['/x/1'] }] },
      {
        allow: [{ from: ['a'], paths: ['/x/*'] }],
      },
      NO,
    ],
    [
      'a rule of requests that the other list had already',
      {
        deny: [{ methods: ['POST'] }],
      },
      { deny: [{ methods: ['POST'], paths: ['/x'] }] },
      NO,
    ],
  ])('%s', (_name, one, two, expected) => {
    const [before, after] = [accessOf(one), accessOf(two)];
    expect(compareAccess({ before, after, trustDomain, http: true })).toEqual(expected);
  });

  it('is told of connections without what is said of requests', () => {
    const before = accessOf({});
    const after = accessOf({ deny: [{ from: ['a'], methods: ['POST'] }] });
    expect(compareAccess({ before, after, trustDomain, http: false })).toEqual(NO);
  });
});
