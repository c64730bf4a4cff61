import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { decideAccess } from '../../src/policy/decide.js';
import {
  compareAccess,
  connectingIdentities,
  findService,
  type IdentityName,
  type Mesh,
  type PortAccess,
  parseMesh,
} from '../../src/policy/index.js';
import { faultsOf, meshOf, portOf, serviceOf } from './helpers.js';

const TRUST_DOMAIN = 'shop.example';
const BACK = '{ ports: { 8080: http } }';
const idOf = (path: string): string => `spiffe://${TRUST_DOMAIN}/ns/${path}`;

function meshText(services: string): string {
  return `trustDomain: ${TRUST_DOMAIN}\nservices:\n${services}`;
}

describe('what formerly means', () => {
  const mesh = meshOf(
    meshText(`  payments/books: { formerly: [ledger, shop/accounts] }
  back: { ports: { 8080: { protocol: http, allow: [ { from: [ledger] } ] } } }
`),
  );

  it('finds the service by each of its names', () => {
    for (const name of ['payments/books', 'ledger', 'shop/accounts']) {
      expect(findService(mesh, name)?.name).toBe('payments/books');
    }
    expect(findService(mesh, 'books')).toBeUndefined();
  });

  it('keeps the identities and DNS names of before', () => {
    const { spiffeId, alsoKnownAs, dnsNames } = serviceOf(mesh, 'payments/books');
    expect(spiffeId).toBe(idOf('payments/sa/books'));
    expect(alsoKnownAs).toEqual([idOf('default/sa/ledger'), idOf('shop/sa/accounts')]);
    expect(dnsNames).toEqual([
      ...['books.payments', 'books.payments.mesh'],
      ...['ledger.default', 'ledger.default.mesh', 'ledger'],
      ...['accounts.shop', 'accounts.shop.mesh'],
    ]);
  });

  it('lets a rule name the service as before', () => {
    const { access } = portOf(mesh, 'back:8080');
    for (const id of ['payments/sa/books', 'default/sa/ledger', 'shop/sa/accounts'].map(idOf)) {
      const request = { spiffeId: id, trustDomain: TRUST_DOMAIN, method: 'GET', path: '/' };
      expect(decideAccess(access, request).allowed).toBe(true);
    }
  });

  it('an account that is written was that of the earlier name too', () => {
    const kept = meshOf(meshText('  books: { serviceAccount: money, formerly: [ledger, a/b] }\n'));
    const { spiffeId, alsoKnownAs } = serviceOf(kept, 'books');
    expect([spiffeId, alsoKnownAs]).toEqual([idOf('default/sa/money'), [idOf('a/sa/money')]]);
  });
});

describe('what check says of formerly', () => {
  it.each([
    [
      'a name that is declared',
      `  books: { formerly: [ledger] }\n  ledger: ${BACK}\n`,
      'expected a name that no service has now but got "ledger"\n  hint: services.ledger',
    ],
    [
      'its own name',
      '  books: { formerly: [default/books] }\n',
      'expected an earlier name but got "books", which it has now',
    ],
    [
      'a name of two services',
      '  a: { formerly: [ledger] }\n  b: { formerly: [default/ledger] }\n',
      'expected each earlier name once but "ledger" is at services.a.formerly[0] too',
    ],
    [
      'a name twice',
      '  a: { formerly: [ledger, ledger] }\n',
      'expected each earlier name once but "ledger" is at services.a.formerly[0] too',
    ],
    ['no name', '  a: { formerly: [Ledger] }\n', 'hint: names are lower case'],
    ['no list', '  a: { formerly: ledger }\n', 'expected a list of service names'],
    [
      'an identity that another service has',
      '  a: { formerly: [ledger] }\n  b: { serviceAccount: ledger }\n',
      `the earlier identity ${idOf('default/sa/ledger')} is b's too`,
    ],
    [
      'a rule that names nobody',
      `  a: { formerly: [ledger] }\n  b: { allow: [ { from: [ledgr] } ] }\n`,
      'expected a declared service but got "ledgr"',
    ],
  ])('%s', (_, services, problem) => {
    expect(faultsOf(meshText(services)).join('\n')).toContain(problem);
  });

  it('two services that swap their names are refused, not taken for each other', () => {
    const faults = faultsOf(meshText('  a: { formerly: [b] }\n  b: { formerly: [a] }\n'));
    expect(faults).toHaveLength(2);
  });
});

const SEED = { seed: 20_261_128, numRuns: 100 };

const from = fc.subarray(
  [
    ...['ledger', 'payments/books', 'web', 'payments/*', 'default/*', '*', 'anyone'],
    ...[idOf('default/sa/ledger'), idOf('payments/sa/books'), `${idOf('default/sa/l')}*`],
  ],
  { minLength: 1 },
);
const rule = fc.record({ from, not: fc.record({ from }) }, { requiredKeys: ['from'] });
const rules = fc.record(
  {
    deny: fc.array(rule, { minLength: 1, maxLength: 2 }),
    allow: fc.array(rule, { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: [] },
);

function accessOf(own: object): PortAccess | undefined {
  const services = {
    'payments/books': { formerly: ['ledger'] },
    web: {},
    back: { ports: { 6000: { protocol: 'tcp', mtls: 'strict', ...own } } },
  };
  const text = stringify({ trustDomain: TRUST_DOMAIN, services }, { aliasDuplicateObjects: false });
  // Undefined: a rule that can match nobody.
  const { mesh } = parseMesh([{ path: 'mesh.yaml', text }]);
  return mesh && portOf(mesh, 'back:6000').access;
}

const isNamed = (names: readonly IdentityName[], id: string): boolean =>
  names.some(({ text, prefix }) => (prefix ? id.startsWith(text) : id === text));

describe('whatever the rules say, an earlier identity counts as the service', () => {
  const ids = ['payments/sa/books', 'default/sa/ledger'].map(idOf);
  const declaredIds = [...ids, idOf('default/sa/web'), idOf('default/sa/back')];

  it('when they are decided, and at the handshake', () => {
    let [letIn, refused] = [0, 0];
    fc.assert(
      fc.property(rules, (own) => {
        const access = accessOf(own);
        fc.pre(access !== undefined);
        const verdicts = ids.map(
          (spiffeId) => decideAccess(access, { spiffeId, trustDomain: TRUST_DOMAIN }).allowed,
        );
        expect(verdicts[1]).toBe(verdicts[0]);
        const names = connectingIdentities(access, { trustDomain: TRUST_DOMAIN, declaredIds });
        for (const id of ids) expect(isNamed(names, id)).toBe(verdicts[0]);
        if (verdicts[0] === true) letIn++;
        else refused++;
      }),
      SEED,
    );
    expect(Math.min(letIn, refused)).toBeGreaterThan(10);
  });

  it('when rule lists are compared: without the earlier name somebody loses something', () => {
    const mesh = (formerly: string): Mesh =>
      meshOf(
        meshText(`  payments/books: { ${formerly} }
  back: { ports: { 8080: { protocol: http, allow: [ { from: [payments/books] } ] } } }
`),
      );
    const [before, after] = ['formerly: [ledger]', ''].map((one) => portOf(mesh(one), 'back:8080'));
    if (before === undefined || after === undefined) throw new Error('two ports');
    const of = (a: PortAccess, b: PortAccess) =>
      compareAccess({ before: a, after: b, trustDomain: TRUST_DOMAIN, http: true }).identities;
    expect(of(before.access, after.access)).toBe(true);
    expect(of(after.access, before.access)).toBe(false);
    expect(of(before.access, before.access)).toBe(false);
  });
});
